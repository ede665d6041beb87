package personv3

import (
	"encoding/xml"
	"errors"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// Namespace is that of the domain's core types in this major.
const Namespace = "urn:riv:strategicresourcemanagement:persons:person:3"

// resultNamespace is that of our own element in a result, the same in all majors.
const resultNamespace = "urn:contactsync:register:result:1"

func core(local string) xml.Name { return xml.Name{Space: Namespace, Local: local} }

func codedValue() xsd.Kind[string] { return xsd.Text(core("CodedValue"), 0, 40) }
func string80() xsd.Kind[string]   { return xsd.Text(core("String80"), 0, 80) }
func timestamp() xsd.Kind[string]  { return xsd.Text(core("Timestamp"), 14, 14) }

func identity() xsd.Kind[personv4.ID] { return xsd.Parts[personv4.ID](core("IIType")) }
func entry() xsd.Kind[Entry]          { return xsd.Parts[Entry](core("ContactInformationType")) }
func contactPerson() xsd.Kind[ContactPerson] {
	return xsd.Parts[ContactPerson](core("ContactPersonType"))
}
func actor() xsd.Kind[Actor]   { return xsd.Parts[Actor](core("ActorType")) }
func record() xsd.Kind[Record] { return xsd.Parts[Record](core("ContactInformationRecordType")) }

func (x *Entry) Walk(w *xsd.Walker) {
	xsd.One(w, "contactType", &x.Type, codedValue())
	xsd.Maybe(w, "use", &x.Use, codedValue())
	xsd.Maybe(w, "value", &x.Value, xsd.String())
	xsd.Maybe(w, "rank", &x.Rank, xsd.Int())
	xsd.Maybe(w, "comment", &x.Comment, xsd.String())
	xsd.Maybe(w, "period", &x.Period, xsd.Parts[personv4.Period](core("DatePeriodType")))
	w.Unknown(&x.Unknown)
}

func (x *ContactPerson) Walk(w *xsd.Walker) {
	xsd.One(w, "contactRelationshipType", &x.Relationship, codedValue())
	xsd.Maybe(w, "priorityOrder", &x.PriorityOrder, xsd.Int())
	xsd.Maybe(w, "givenName", &x.GivenName, string80())
	xsd.Maybe(w, "surName", &x.SurName, string80())
	xsd.Maybe(w, "middleName", &x.MiddleName, string80())
	xsd.Maybe(w, "contactPersonAddress", &x.Address, xsd.Parts[personv4.Address](core("ResidentialAddressType")))
	xsd.Many(w, "contactPersonContactInformation", &x.Entries, entry())
	w.Unknown(&x.Unknown)
}

func (x *Actor) Walk(w *xsd.Walker) {
	xsd.One(w, "id", &x.ID, identity())
	xsd.Maybe(w, "professional", &x.Professional, xsd.Parts[personv4.Professional](core("ProfessionalType")))
	w.Unknown(&x.Unknown)
}

func (x *Record) Walk(w *xsd.Walker) {
	xsd.One(w, "version", &x.Version, timestamp())
	xsd.One(w, "personId", &x.Person, identity())
	xsd.Many(w, "contactInformation", &x.Entries, entry())
	xsd.Many(w, "contactPerson", &x.ContactPersons, contactPerson())
	xsd.One(w, "protectedPersonIndicator", &x.ProtectedPerson, xsd.Boolean())
	xsd.Maybe(w, "updatePersonContactInformationActor", &x.Actor, actor())
	w.Unknown(&x.Unknown)
}

func (x *Update) Walk(w *xsd.Walker) {
	xsd.One(w, "actor", &x.Actor, actor())
	xsd.One(w, "personId", &x.Person, identity())
	xsd.MaybeText(w, "versionToUpdate", &x.VersionToUpdate, timestamp())
	xsd.Many(w, "contactInformation", &x.Entries, entry())
	xsd.Many(w, "contactPerson", &x.ContactPersons, contactPerson())
	w.Unknown(&x.Unknown)
}

func (x *Result) Walk(w *xsd.Walker) {
	s := status{Code: "ERROR", Text: x.Text, reason: x.Code}
	if x.OK {
		s.Code = "OK"
	}
	xsd.One(w, "result", &s, xsd.Parts[status](core("ResultType")))
	xsd.Maybe(w, "contactInformationRecord", &x.Record, record())
	w.Unknown(&[]rivta.Element{})
	if w.Reading() {
		x.OK, x.Text, x.Code = s.Code == "OK", s.Text, s.reason
	}
}

// status is ResultType; reason is our own addition to it.
type status struct{ Code, Text, reason string }

func (x *status) Walk(w *xsd.Walker) {
	xsd.One(w, "resultCode", &x.Code, resultCode())
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

func resultCode() xsd.Kind[string] {
	parse := func(s string) (string, error) {
		if s != "OK" && s != "ERROR" {
			return s, errors.New("neither OK nor ERROR")
		}
		return s, nil
	}
	return xsd.Simple(core("ResultCodeType"), parse, func(s string) string { return s })
}

// lookup is a Get request.
type lookup struct{ Person personv4.ID }

func (x *lookup) Walk(w *xsd.Walker) {
	xsd.One(w, "personId", &x.Person, identity())
	w.Unknown(&[]rivta.Element{})
}

// found is a Get answer; Record is nil for an unknown person.
type found struct{ Record *Record }

func (x *found) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "contactInformationRecord", &x.Record, record())
	w.Unknown(&[]rivta.Element{})
}

// changed is an Update answer. The name of its element differs between the twins.
type changed struct {
	Result Result
	name   string
}

func (x *changed) Walk(w *xsd.Walker) {
	xsd.One(w, x.name, &x.Result, xsd.Parts[Result](core("UpdatePersonContactInformationResultType")))
	w.Unknown(&[]rivta.Element{})
}

// resultName is the element in an Update answer, as it is in the next major.
func resultName(unrestricted bool) string {
	if unrestricted {
		return "UpdatePersonContactInformationUnrestrictedResult"
	}
	return "updatePersonContactInformationResult"
}
