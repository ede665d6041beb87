package mockregister

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
)

// shownIn is the person as the query may see it.
func (p profiled) shownIn(query personprofilev5.Query) (*personprofilev5.Person, error) {
	whole, err := p.whole(query.Unrestricted)
	if err != nil {
		return nil, err
	}
	shown := whole.Limited(query.Profile)
	if p.protected() && !query.Unrestricted {
		shown = whole.Blanked()
	}
	return &shown, nil
}

// whole puts together what is stored. Columns win over what the particulars say of the same, and what neither tells is invented
// from name and identity: millions of generated persons need no particulars.
func (p profiled) whole(unrestricted bool) (personprofilev5.Person, error) {
	var x personprofilev5.Person
	if p.particulars != "" {
		var err error
		if x, err = personprofilev5.UnmarshalPerson([]byte(p.particulars)); err != nil {
			return x, fmt.Errorf("decode stored person: %w", err)
		}
	}
	x.ID, x.Test = p.id, true
	x.ProtectedPerson, x.ProtectedPopulation = p.secrecy, &p.protectedPopulation
	x.Deregistration = deregistered(p.deregistration, day(p.deregisteredOn))
	p.link(&x)
	p.relate(&x, unrestricted)
	p.invent(&x)
	record, err := p.record()
	if err != nil {
		return x, err
	}
	setContacts(&x, *record)
	return x, nil
}

// setContacts puts a record's contact details into a person.
func setContacts(x *personprofilev5.Person, record personv4.Record) {
	x.Version, x.Entries, x.ContactPersons = record.Version, record.Entries, record.ContactPersons
	x.OptoutPaper, x.Actor, x.Unknown = record.OptoutPaper, record.Actor, record.Unknown
}

// link tells the human's other identities. That the primary one is also referred to, as Skatteverket does, and what the level
// of assurance is called, is our choice.
func (p profiled) link(x *personprofilev5.Person) {
	x.Primary, x.Linked, x.Referred = p.replacedBy == nil, nil, nil
	if p.replacedBy != nil {
		x.Linked = append(x.Linked, linkedTo(*p.replacedBy, true))
		x.Referred = append(x.Referred, personprofilev5.ReferredIdentity{ID: *p.replacedBy, Status: new(personprofilev5.StatusNew)})
		x.IdentityStatus = &personprofilev5.IdentityStatus{Status: new(personprofilev5.StatusDeregistered), Date: day(p.replacedOn),
			Cause: new(personprofilev5.CauseReplaced)}
	}
	for _, other := range p.linked {
		x.Linked = append(x.Linked, linkedTo(personv4.ID{Root: other.Root, Extension: other.Extension}, false))
	}
}

func linkedTo(id personv4.ID, primary bool) personprofilev5.LinkedIdentity {
	return personprofilev5.LinkedIdentity{ID: id, AssuranceLevel: personprofilev5.LevelProven, Primary: primary}
}

// relate tells relations. The restricted contract does not tell that there is one to a protected person: whoever knows the
// family may know where it lives.
func (p profiled) relate(x *personprofilev5.Person, unrestricted bool) {
	x.Relations = nil
	for _, r := range p.relations {
		if r.Protected && !unrestricted {
			continue
		}
		x.Relations = append(x.Relations, personprofilev5.Relation{
			Other: personprofilev5.RelationID{Person: &personv4.ID{Root: r.Root, Extension: r.Extension}},
			Type:  r.Type, From: dayText(r.Since), Name: nameOf(r.Name),
			Deregistration: deregistered(r.Deregistration, dayText(r.DeregisteredOn)),
		})
	}
}

func deregistered(code string, on *personprofilev5.PartialDate) *personprofilev5.Deregistration {
	if code == "" {
		return nil
	}
	return &personprofilev5.Deregistration{Reason: &code, Date: on}
}

// day is a date in full; nil stays nil.
func day(t *time.Time) *personprofilev5.PartialDate {
	if t == nil {
		return nil
	}
	return dayText(t.Format(time.DateOnly))
}

func dayText(text string) *personprofilev5.PartialDate {
	if text == "" {
		return nil
	}
	return &personprofilev5.PartialDate{Format: "YYYY-MM-DD", Value: text}
}

// nameOf takes the last word for the surname.
func nameOf(text string) *personprofilev5.Name {
	given, surname := "", text
	if i := strings.LastIndex(text, " "); i >= 0 {
		given, surname = text[:i], text[i+1:]
	}
	return &personprofilev5.Name{GivenName: &given, Surname: &surname}
}

// invent fills in what everybody has.
func (p profiled) invent(x *personprofilev5.Person) {
	number := p.id.Extension
	if x.Name == nil {
		x.Name = nameOf(p.name)
	}
	if x.IdentityLevel == nil {
		x.IdentityLevel = new(personprofilev5.LevelProven)
	}
	if len(number) != 12 {
		return
	}
	if x.Birth == nil {
		x.Birth = &personprofilev5.Birth{}
	}
	if x.Birth.Date == nil {
		x.Birth.Date = dayText(bornOn(number))
	}
	if x.Gender == nil {
		x.Gender = new(genderOf(number))
	}
	if p.id.Root == personv4.RootSamordningsnummer && x.IdentityStatus == nil {
		x.IdentityStatus = &personprofilev5.IdentityStatus{Status: new(personprofilev5.StatusActive)}
	}
	lives := p.id.Root == personv4.RootPersonnummer && p.deregistration == "" && !p.protectedPopulation
	if lives && x.Addresses == nil {
		x.Addresses, x.Locality = home(number)
	}
}

// bornOn reads the date in a personnummer or samordningsnummer; empty where a coordination number does not tell it.
func bornOn(number string) string {
	n, _ := strconv.Atoi(number[6:8])
	if n > 60 {
		n -= 60
	}
	born, err := time.Parse("20060102", number[:6]+fmt.Sprintf("%02d", n))
	if err != nil {
		return ""
	}
	return born.Format(time.DateOnly)
}

// genderOf is Skatteverket's code: the third digit of the serial is odd for men. The letters are ours.
func genderOf(number string) string {
	if (number[10]-'0')%2 == 1 {
		return "M"
	}
	return "K"
}

// home is an invented address, always the same for a number.
func home(number string) (*personprofilev5.Addresses, *personprofilev5.Locality) {
	counties := [...]string{"01", "03", "04", "05", "06", "07", "08", "09", "10", "12", "13", "14", "17", "18", "19", "20", "21", "22",
		"23", "24", "25"}
	n, _ := strconv.Atoi(number[8:])
	street := "Påhittade gatan " + strconv.Itoa(n%99+1)
	return &personprofilev5.Addresses{Residential: &personv4.Address{PostalAddress2: &street, PostalCode: new(12345), City: new("Exempelstad")}},
		&personprofilev5.Locality{CountyCode: &counties[n%len(counties)], MunicipalityCode: new("80")}
}
