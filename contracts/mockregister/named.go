package mockregister

import (
	"encoding/xml"
	"fmt"
	"slices"
	"time"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Codes of the entries that the test persons have. The national service's own code values are not public: these are ours,
// and whoever reads or writes entries gets them by its own configuration. The resident's own mobile number and address are
// ("tel", "mobile") and ("mail", "personal"); every other pair belongs to somebody else, such as the staff of a clinic.
const (
	typePhone = "tel"
	typeMail  = "mail"

	useMobile   = "mobile"
	usePersonal = "personal"
	useWork     = "work"
	useClinic   = "clinic"
)

// seedPerson is a person as it is put into an empty register.
type seedPerson struct {
	TestPerson
	secrecy             bool // sekretessmarkering
	protectedPopulation bool // skyddad folkbokföring
	content             personv4.Record
	deregistration      string // Skatteverket's code; empty: none
	deregisteredOn      *time.Time
	particulars         *personprofilev5.Person // what a profile tells that cannot be invented from name and identity; nil: nothing
}

func (p seedPerson) deceased() bool { return p.deregistration == personprofilev5.Deceased }

// profile is the particulars as stored.
func (p seedPerson) profile() (string, error) {
	if p.particulars == nil {
		return "", nil
	}
	x := *p.particulars
	x.ID = personv4.ID{Root: p.Root, Extension: p.Extension}
	text, err := personprofilev5.MarshalPerson(x)
	if err != nil {
		return "", fmt.Errorf("encode person: %w", err)
	}
	return string(text), nil
}

// record is the content as a whole record, for stored.
func (p seedPerson) record(version string) personv4.Record {
	record := p.content
	record.Version = version
	record.Person = personv4.ID{Root: p.Root, Extension: p.Extension}
	record.ProtectedPerson, record.ProtectedPopulation = p.secrecy, &p.protectedPopulation
	return record
}

// namedPersons are the persons with a name of their own, one for each state. Children are as old as they should be today.
func namedPersons(today time.Time) []seedPerson {
	return slices.Concat(withRecords(), []seedPerson{
		{TestPerson: adult("Disa Testsson", "deceased", 1941, 982), content: bothChannels(),
			deregistration: personprofilev5.Deceased, deregisteredOn: new(time.Date(2024, time.January, 9, 0, 0, 0, 0, time.UTC))},
		{TestPerson: child("Barn Testsson", "child_under_13", today.AddDate(-9, 0, 0))},
		{TestPerson: adult("Vera Testsson", "guardian", 1985, 982)},
		{TestPerson: child("Ung Testsson", "child_13", today.AddDate(-14, 0, 0))},
		{TestPerson: TestPerson{"Sam Ordningsson", "coordination_number", personv4.RootSamordningsnummer,
			samordningsnummer(birthday(1979), 983)}},
	}, withFamilies(today), withChanges())
}

func withRecords() []seedPerson {
	return []seedPerson{
		{TestPerson: adult("Tove Testsson", "empty", 1972, 980)},
		{TestPerson: adult("Bodil Tvåvägs", "both_channels", 1958, 980), content: bothChannels()},
		{TestPerson: adult("Stina Klinikdotter", "staff_entries", 1963, 980), content: withStaffEntries()},
		{TestPerson: adult("Kjell Närståendesson", "contact_persons", 1949, 981), content: withContactPersons()},
		{TestPerson: adult("Petra Brevfri", "paper_opt_out", 1990, 980), content: withoutPaper()},
		{TestPerson: adult("Hemlig Testsson", "secrecy", 1981, 981), secrecy: true, content: withStaffEntries()},
		{TestPerson: adult("Dold Testsson", "protected_registration", 1976, 981), protectedPopulation: true, content: bothChannels()},
	}
}

func adult(name, state string, year, serial int) TestPerson {
	return TestPerson{name, state, personv4.RootPersonnummer, personnummer(birthday(year), serial)}
}

func child(name, state string, born time.Time) TestPerson {
	return TestPerson{name, state, personv4.RootPersonnummer, personnummer(born, 984)}
}

// birthday is the day in a year on which all grown-up test persons were born.
func birthday(year int) time.Time { return time.Date(year, time.May, 17, 0, 0, 0, 0, time.UTC) }

func bothChannels() personv4.Record {
	mobile, mail := entry(typePhone, useMobile, "+46701740605"), entry(typeMail, usePersonal, "bade.och@example.se")
	mobile.DigitalNotification, mail.DigitalNotification = new(true), new(false)
	return personv4.Record{Entries: []personv4.Entry{mobile, mail}}
}

// withStaffEntries has the resident's entries between those of others, so that order matters too.
func withStaffEntries() personv4.Record {
	work := entry(typePhone, useWork, "+46701740621")
	work.Rank, work.Comment = new(2), new("Ring helst efter lunch & före 16 <vardagar>")
	work.Period = &personv4.Period{Start: new("2025-03-01")}
	return personv4.Record{Entries: []personv4.Entry{
		work,
		entry(typePhone, useMobile, "+46701740622"),
		entry(typePhone, useClinic, "+46701740623"),
		entry(typeMail, usePersonal, "egen@example.se"),
		entry(typeMail, useWork, "arbete@example.se"),
		{Type: typePhone, Value: new("+46701740624")},
	}}
}

// withContactPersons has elements that the contract does not know wherever it has room for them.
func withContactPersons() personv4.Record {
	mobile := entry(typePhone, useMobile, "+46701740631")
	mobile.Unknown = []rivta.Element{unknown("verified", "2026-02-03")}
	daughter := personv4.ContactPerson{
		Relationship: "child", PriorityOrder: new(1), GivenName: new("Dotter"), SurName: new("Närståendesson"),
		Address: &personv4.Address{PostalAddress1: new("Påhittade gatan 1"), PostalCode: new(12345), City: new("Exempelstad")},
		Entries: []personv4.Entry{entry(typePhone, useMobile, "+46701740632")},
		Unknown: []rivta.Element{unknown("language", "sv")},
	}
	neighbour := personv4.ContactPerson{Relationship: "other", GivenName: new("Granne"),
		Entries: []personv4.Entry{entry(typeMail, useWork, "granne@example.se")}}
	return personv4.Record{
		Entries:        []personv4.Entry{mobile, entry(typePhone, useClinic, "+46701740633")},
		ContactPersons: []personv4.ContactPerson{daughter, neighbour},
		Unknown:        []rivta.Element{unknown("preferredTime", "morning")},
	}
}

func withoutPaper() personv4.Record {
	mobile := entry(typePhone, useMobile, "+46701740641")
	mobile.DigitalNotification = new(true)
	return personv4.Record{Entries: []personv4.Entry{mobile}, OptoutPaper: new(true)}
}

func entry(kind, use, value string) personv4.Entry {
	return personv4.Entry{Type: kind, Use: &use, Value: &value}
}

// unknown is an element of a namespace that no contract of ours has.
func unknown(name, text string) rivta.Element {
	return rivta.Element{Name: xml.Name{Space: "urn:example:later-minor:1", Local: name}, Text: text}
}
