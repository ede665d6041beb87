package personv4

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Namespace is that of the domain's core types. They are of domain version 5 also in contracts of major 4.
const Namespace = "urn:riv:strategicresourcemanagement:persons:person:5"

// resultNamespace is that of our own element in a result, which tells its reason to programs.
const resultNamespace = "urn:contactsync:register:result:1"

func (x *ID) Walk(w *xsd.Walker) {
	xsd.One(w, "root", &x.Root, xsd.String())
	xsd.MaybeText(w, "extension", &x.Extension, xsd.String())
	unknown := fromText(x.Unknown)
	w.Unknown(&unknown)
	if w.Reading() {
		x.Unknown = toText(unknown)
	}
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
		return []rivta.Element{{}} // refused by xsd.Walker.Unknown
	}
	return e.Children
}

// stored bounds texts that were judged before, when they came in.
func stored() rivta.Limits { return rivta.Limits{Bytes: 8 << 20, Depth: 128} }

func (x *Period) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "start", &x.Start, xsd.Date())
	xsd.Maybe(w, "end", &x.End, xsd.Date())
	w.Unknown(&x.Unknown)
}

func (x *Entry) Walk(w *xsd.Walker) {
	xsd.One(w, "contactType", &x.Type, codedValue)
	xsd.Maybe(w, "use", &x.Use, codedValue)
	xsd.Maybe(w, "value", &x.Value, xsd.String())
	xsd.Maybe(w, "rank", &x.Rank, xsd.Int())
	xsd.Maybe(w, "comment", &x.Comment, xsd.String())
	xsd.Maybe(w, "period", &x.Period, periodType)
	xsd.Maybe(w, "digitalNotification", &x.DigitalNotification, xsd.Boolean())
	w.Unknown(&x.Unknown)
}

func (x *Address) Walk(w *xsd.Walker) {
	line := xsd.Text(w.Type("String40"), 0, 40)
	xsd.Maybe(w, "careOf", &x.CareOf, line)
	xsd.Maybe(w, "postalAddress1", &x.PostalAddress1, line)
	xsd.Maybe(w, "postalAddress2", &x.PostalAddress2, line)
	xsd.Maybe(w, "postalCode", &x.PostalCode, xsd.Integer(w.Type("PostalCode"), 0, 99999))
	xsd.Maybe(w, "city", &x.City, line)
	w.Unknown(&x.Unknown)
}

func (x *ContactPerson) Walk(w *xsd.Walker) {
	xsd.One(w, "contactRelationshipType", &x.Relationship, codedValue)
	xsd.Maybe(w, "priorityOrder", &x.PriorityOrder, xsd.Int())
	xsd.Maybe(w, "givenName", &x.GivenName, string80)
	xsd.Maybe(w, "surName", &x.SurName, string80)
	xsd.Maybe(w, "middleName", &x.MiddleName, string80)
	xsd.Maybe(w, "contactPersonAddress", &x.Address, addressType)
	xsd.Many(w, "contactPersonContactInformation", &x.Entries, entryType)
	w.Unknown(&x.Unknown)
}

func (x *Professional) Walk(w *xsd.Walker) {
	xsd.One(w, "organizationId", &x.Organization, xsd.Parts[ID](w.Type("IIType")))
	w.Unknown(&x.Unknown)
}

func (x *Actor) Walk(w *xsd.Walker) {
	xsd.One(w, "id", &x.ID, identityType)
	xsd.Maybe(w, "professional", &x.Professional, professionalType)
	xsd.MaybeText(w, "updateTime", &x.UpdateTime, timestamp)
	w.Unknown(&x.Unknown)
}

func (x *Record) Walk(w *xsd.Walker) {
	xsd.One(w, "version", &x.Version, timestamp)
	xsd.One(w, "personId", &x.Person, identityType)
	xsd.Many(w, "contactInformation", &x.Entries, entryType)
	xsd.Many(w, "contactPerson", &x.ContactPersons, contactPersonType)
	xsd.One(w, "protectedPersonIndicator", &x.ProtectedPerson, xsd.Boolean())
	xsd.Maybe(w, "protectedPopulationRecord", &x.ProtectedPopulation, xsd.Boolean())
	xsd.Maybe(w, "optoutPaperNotification", &x.OptoutPaper, xsd.Boolean())
	xsd.Maybe(w, "updatePersonContactInformationActor", &x.Actor, actorType)
	w.Unknown(&x.Unknown)
}

func (x *Update) Walk(w *xsd.Walker) {
	xsd.One(w, "actor", &x.Actor, actorType)
	xsd.One(w, "personId", &x.Person, identityType)
	xsd.MaybeText(w, "versionToUpdate", &x.VersionToUpdate, timestamp)
	xsd.Many(w, "contactInformation", &x.Entries, entryType)
	xsd.Many(w, "contactPerson", &x.ContactPersons, contactPersonType)
	xsd.Maybe(w, "optoutPaperNotification", &x.OptoutPaper, xsd.Boolean())
	w.Unknown(&x.Unknown)
}

// walk tells the fields of UpdatePersonContactInformationResultType, in which the outcome itself is one level down.
func (x *Result) Walk(w *xsd.Walker) {
	s := status{Code: "ERROR", Text: x.Text, reason: x.Code}
	if x.OK {
		s.Code = "OK"
	}
	xsd.One(w, "result", &s, statusType)
	xsd.Maybe(w, "contactInformationRecord", &x.Record, recordType)
	w.Unknown(&[]rivta.Element{})
	if w.Reading() {
		x.OK, x.Text, x.Code = s.Code == "OK", s.Text, s.reason
	}
}

// status is ResultType; reason is our own addition to it.
type status struct{ Code, Text, reason string }

func (x *status) Walk(w *xsd.Walker) {
	xsd.One(w, "resultCode", &x.Code, resultCode)
	xsd.MaybeText(w, "resultText", &x.Text, xsd.String())
	reasonName := xml.Name{Space: resultNamespace, Local: "code"}
	var unknown []rivta.Element
	if x.reason != "" {
		unknown = []rivta.Element{{Name: reasonName, Text: x.reason}}
	}
	w.Unknown(&unknown)
	for _, e := range unknown {
		if e.Name == reasonName {
			x.reason = xsd.Trim(e.Text)
		}
	}
}

// lookup is a Get request.
type lookup struct{ Person ID }

func (x *lookup) Walk(w *xsd.Walker) {
	xsd.One(w, "personId", &x.Person, identityType)
	w.Unknown(&[]rivta.Element{})
}

// found is a Get answer; Record is nil for an unknown person.
type found struct{ Record *Record }

func (x *found) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "contactInformationRecord", &x.Record, recordType)
	w.Unknown(&[]rivta.Element{})
}

// changed is an Update answer. The name of its element differs between the twins.
type changed struct {
	Result Result
	name   string
}

func (x *changed) Walk(w *xsd.Walker) {
	xsd.One(w, x.name, &x.Result, resultType)
	w.Unknown(&[]rivta.Element{})
}

// resultName is the element in an Update answer: the Unrestricted schema spells it as its own contract, with a capital.
func resultName(unrestricted bool) string {
	if unrestricted {
		return "UpdatePersonContactInformationUnrestrictedResult"
	}
	return "updatePersonContactInformationResult"
}

// recordName is the element that MarshalRecord writes. It never travels on its own.
func recordName() xml.Name { return core("contactInformationRecord") }

// MarshalRecord writes a record in the one form it has: equal records, equal bytes. The error says what the schema forbids.
func MarshalRecord(r Record) ([]byte, error) {
	const usual = 1 << 10
	if text, ok := appendPlain(make([]byte, 0, usual), &r); ok {
		return text, nil
	}
	return marshalWalked(r)
}

// marshalWalked writes any record, by a walk over the schema.
func marshalWalked(r Record) ([]byte, error) {
	text, err := xsd.Encode(recordName(), &r)
	if err != nil {
		return nil, err
	}
	return text, nil
}

// UnmarshalRecord reads what MarshalRecord wrote, as strictly as from the wire.
func UnmarshalRecord(text []byte) (Record, error) {
	e, err := rivta.Parse(bytes.NewReader(text), stored())
	if err != nil {
		return Record{}, fmt.Errorf("read stored record: %w", err)
	}
	var r Record
	err = xsd.Decode(recordName(), &r, e)
	return r, err
}
