package personv4

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"contactsync/contracts/rivta"
)

// Namespace is that of the domain's core types. They are of domain version 5 also in contracts of major 4.
const Namespace = "urn:riv:strategicresourcemanagement:persons:person:5"

// resultNamespace is that of our own element in a result, which tells its reason to programs.
const resultNamespace = "urn:contactsync:register:result:1"

func (x *ID) walk(w *walker) {
	one(w, "root", &x.Root, anyText())
	maybeText(w, "extension", &x.Extension, anyText())
	unknown := fromText(x.Unknown)
	w.unknown(&unknown)
	x.Unknown = toText(unknown)
}

// toText and fromText keep elements as text: those in an ID, which must stay comparable.
func toText(unknown []rivta.Element) string {
	if len(unknown) == 0 {
		return ""
	}
	return string(rivta.Append(nil, rivta.Element{Name: xml.Name{Local: "any"}, Children: unknown}))
}

func fromText(text string) []rivta.Element {
	if text == "" {
		return nil
	}
	e, err := rivta.Parse(strings.NewReader(text), stored())
	if err != nil || e.Name.Local != "any" {
		return []rivta.Element{{}} // refused by walker.unknown
	}
	return e.Children
}

// stored bounds texts that were judged before, when they came in.
func stored() rivta.Limits { return rivta.Limits{Bytes: 8 << 20, Depth: 128} }

func (x *Period) walk(w *walker) {
	maybe(w, "start", &x.Start, date())
	maybe(w, "end", &x.End, date())
	w.unknown(&x.Unknown)
}

func (x *Entry) walk(w *walker) {
	one(w, "contactType", &x.Type, codedValue())
	maybe(w, "use", &x.Use, codedValue())
	maybe(w, "value", &x.Value, anyText())
	maybe(w, "rank", &x.Rank, anyInt())
	maybe(w, "comment", &x.Comment, anyText())
	maybe(w, "period", &x.Period, parts[Period]("DatePeriodType"))
	maybe(w, "digitalNotification", &x.DigitalNotification, boolean())
	w.unknown(&x.Unknown)
}

func (x *Address) walk(w *walker) {
	maybe(w, "careOf", &x.CareOf, string40())
	maybe(w, "postalAddress1", &x.PostalAddress1, string40())
	maybe(w, "postalAddress2", &x.PostalAddress2, string40())
	maybe(w, "postalCode", &x.PostalCode, postalCode())
	maybe(w, "city", &x.City, string40())
	w.unknown(&x.Unknown)
}

func (x *ContactPerson) walk(w *walker) {
	one(w, "contactRelationshipType", &x.Relationship, codedValue())
	maybe(w, "priorityOrder", &x.PriorityOrder, anyInt())
	maybe(w, "givenName", &x.GivenName, string80())
	maybe(w, "surName", &x.SurName, string80())
	maybe(w, "middleName", &x.MiddleName, string80())
	maybe(w, "contactPersonAddress", &x.Address, parts[Address]("ResidentialAddressType"))
	many(w, "contactPersonContactInformation", &x.Entries, entry())
	w.unknown(&x.Unknown)
}

func (x *Professional) walk(w *walker) {
	one(w, "organizationId", &x.Organization, identity())
	w.unknown(&x.Unknown)
}

func (x *Actor) walk(w *walker) {
	one(w, "id", &x.ID, identity())
	maybe(w, "professional", &x.Professional, parts[Professional]("ProfessionalType"))
	maybeText(w, "updateTime", &x.UpdateTime, timestamp())
	w.unknown(&x.Unknown)
}

func (x *Record) walk(w *walker) {
	one(w, "version", &x.Version, timestamp())
	one(w, "personId", &x.Person, identity())
	many(w, "contactInformation", &x.Entries, entry())
	many(w, "contactPerson", &x.ContactPersons, contactPerson())
	one(w, "protectedPersonIndicator", &x.ProtectedPerson, boolean())
	maybe(w, "protectedPopulationRecord", &x.ProtectedPopulation, boolean())
	maybe(w, "optoutPaperNotification", &x.OptoutPaper, boolean())
	maybe(w, "updatePersonContactInformationActor", &x.Actor, actor())
	w.unknown(&x.Unknown)
}

func identity() kind[ID]                 { return parts[ID]("IIType") }
func entry() kind[Entry]                 { return parts[Entry]("ContactInformationType") }
func contactPerson() kind[ContactPerson] { return parts[ContactPerson]("ContactPersonType") }
func actor() kind[Actor]                 { return parts[Actor]("ActorType") }
func record() kind[Record]               { return parts[Record]("ContactInformationRecordType") }

func (x *Update) walk(w *walker) {
	one(w, "actor", &x.Actor, actor())
	one(w, "personId", &x.Person, identity())
	maybeText(w, "versionToUpdate", &x.VersionToUpdate, timestamp())
	many(w, "contactInformation", &x.Entries, entry())
	many(w, "contactPerson", &x.ContactPersons, contactPerson())
	maybe(w, "optoutPaperNotification", &x.OptoutPaper, boolean())
	w.unknown(&x.Unknown)
}

// walk tells the fields of UpdatePersonContactInformationResultType, in which the outcome itself is one level down.
func (x *Result) walk(w *walker) {
	s := status{Code: "ERROR", Text: x.Text, reason: x.Code}
	if x.OK {
		s.Code = "OK"
	}
	one(w, "result", &s, parts[status]("ResultType"))
	maybe(w, "contactInformationRecord", &x.Record, record())
	w.unknown(&[]rivta.Element{})
	x.OK, x.Text, x.Code = s.Code == "OK", s.Text, s.reason
}

// status is ResultType; reason is our own addition to it.
type status struct{ Code, Text, reason string }

func (x *status) walk(w *walker) {
	one(w, "resultCode", &x.Code, resultCode())
	maybeText(w, "resultText", &x.Text, anyText())
	reasonName := xml.Name{Space: resultNamespace, Local: "code"}
	var unknown []rivta.Element
	if x.reason != "" {
		unknown = []rivta.Element{{Name: reasonName, Text: x.reason}}
	}
	w.unknown(&unknown)
	for _, e := range unknown {
		if e.Name == reasonName {
			x.reason = trim(e.Text)
		}
	}
}

func resultCode() kind[string] {
	parse := func(s string) (string, error) {
		if s != "OK" && s != "ERROR" {
			return s, errors.New("neither OK nor ERROR")
		}
		return s, nil
	}
	return simple(core("ResultCodeType"), parse, func(s string) string { return s })
}

// lookup is a Get request.
type lookup struct{ Person ID }

func (x *lookup) walk(w *walker) {
	one(w, "personId", &x.Person, identity())
	w.unknown(&[]rivta.Element{})
}

// found is a Get answer; Record is nil for an unknown person.
type found struct{ Record *Record }

func (x *found) walk(w *walker) {
	maybe(w, "contactInformationRecord", &x.Record, record())
	w.unknown(&[]rivta.Element{})
}

// changed is an Update answer. The name of its element differs between the twins.
type changed struct {
	Result Result
	name   string
}

func (x *changed) walk(w *walker) {
	one(w, x.name, &x.Result, parts[Result]("UpdatePersonContactInformationResultType"))
	w.unknown(&[]rivta.Element{})
}

// resultName is the element in an Update answer: the Unrestricted schema spells it as its own contract, with a capital.
func resultName(unrestricted bool) string {
	if unrestricted {
		return "UpdatePersonContactInformationUnrestrictedResult"
	}
	return "updatePersonContactInformationResult"
}

// body is a request or answer of the contract; its direct children are in the contract's own namespace.
type body interface{ walk(*walker) }

func encode(name xml.Name, b body) (rivta.Element, error) {
	e, err := writeParts(name.Space, b.walk)
	e.Name = name
	if err != nil {
		return e, fmt.Errorf("write %s: %w", name.Local, err)
	}
	return e, nil
}

func decode(name xml.Name, b body, e rivta.Element) error {
	err := checkAttrs(e, xml.Name{Space: name.Space, Local: name.Local + "Type"})
	if err == nil && e.Name != name {
		err = errors.New("another element")
	}
	if err == nil {
		err = readParts(e, name.Space, b.walk)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name.Local, err)
	}
	return nil
}

// recordName is the element that MarshalRecord writes. It never travels on its own.
func recordName() xml.Name { return core("contactInformationRecord") }

// MarshalRecord writes a record in the one form it has: equal records, equal bytes. The error says what the schema forbids.
func MarshalRecord(r Record) ([]byte, error) {
	e, err := encode(recordName(), &r)
	if err != nil {
		return nil, err
	}
	return rivta.Append(nil, e), nil
}

// UnmarshalRecord reads what MarshalRecord wrote, as strictly as from the wire.
func UnmarshalRecord(text []byte) (Record, error) {
	e, err := rivta.Parse(bytes.NewReader(text), stored())
	if err != nil {
		return Record{}, fmt.Errorf("read stored record: %w", err)
	}
	var r Record
	err = decode(recordName(), &r, e)
	return r, err
}
