package personprofilev5

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// request is GetPersonsForProfileType.
type request struct {
	Persons        []personv4.ID
	Profile        Profile
	IgnoreReferred bool
}

func (x *request) Walk(w *xsd.Walker) {
	xsd.OneOrMore(w, "personId", &x.Persons, identity())
	xsd.One(w, "profile", (*string)(&x.Profile), profile())
	xsd.One(w, "ignoreReferredIdentity", &x.IgnoreReferred, xsd.Boolean())
	w.Unknown(&[]rivta.Element{})
}

// response is GetPersonsForProfileResponseType.
type response struct{ Answers []Answer }

func (x *response) Walk(w *xsd.Walker) {
	xsd.OneOrMore(w, "requestedPersonRecord", &x.Answers, parts[Answer]("RequestedPersonRecordType"))
	w.Unknown(&[]rivta.Element{})
}

func (x *Answer) Walk(w *xsd.Walker) {
	xsd.One(w, "requestedPersonalIdentity", &x.Asked, identity())
	xsd.Maybe(w, "personRecord", &x.Person, parts[Person]("PersonRecordType"))
	w.Unknown(&x.Unknown)
}

func (x *Person) Walk(w *xsd.Walker) {
	xsd.One(w, "personalIdentity", &x.ID, identity())
	xsd.Maybe(w, "identityLevel", &x.IdentityLevel, xsd.String())
	xsd.Maybe(w, "identityLevelDate", &x.IdentityLevelDate, partialDate())
	xsd.Maybe(w, "gender", &x.Gender, codedValue())
	xsd.One(w, "protectedPersonIndicator", &x.ProtectedPerson, xsd.Boolean())
	xsd.One(w, "testIndicator", &x.Test, xsd.Boolean())
	xsd.One(w, "primaryIdentity", &x.Primary, xsd.Boolean())
	xsd.MaybeText(w, "version", &x.Version, xsd.Text(core("Timestamp"), 14, 14))
	xsd.Maybe(w, "name", &x.Name, parts[Name]("NameType"))
	xsd.Many(w, "linkedIdentity", &x.Linked, parts[LinkedIdentity]("LinkedIdentityType"))
	xsd.Many(w, "referredPersonalIdentities", &x.Referred, parts[ReferredIdentity]("ReferredPersonalIdentityType"))
	xsd.Maybe(w, "birth", &x.Birth, parts[Birth]("BirthType"))
	xsd.Maybe(w, "populationRegistrationLocality", &x.Locality, locality())
	xsd.Maybe(w, "populationRegistrationRecord", &x.Registration, parts[RegistrationRecord]("PopulationRegistrationRecordType"))
	xsd.Maybe(w, "addressInformation", &x.Addresses, parts[Addresses]("AddressInformationType"))
	x.walkContacts(w)
	xsd.Maybe(w, "deregistration", &x.Deregistration, deregistration())
	xsd.Maybe(w, "maritalStatus", &x.MaritalStatus, parts[MaritalStatus]("MaritalStatusType"))
	xsd.Maybe(w, "immigration", &x.Immigration, parts[Immigration]("ImmigrationType"))
	xsd.Many(w, "citizenship", &x.Citizenships, parts[Citizenship]("CitizenshipType"))
	xsd.Many(w, "relationship", &x.Relations, parts[Relation]("RelationshipType"))
	xsd.Maybe(w, "coOrdinationNumberData", &x.CoordinationNumber, parts[CoordinationNumber]("CoOrdinationNumberDataType"))
	xsd.Maybe(w, "personalIdentityStatus", &x.IdentityStatus, parts[IdentityStatus]("PersonalIdentityStatusType"))
	xsd.Maybe(w, "updatePersonActor", &x.PersonActor, actor())
	xsd.Maybe(w, "updatePersonContactInformationActor", &x.Actor, actor())
	xsd.Many(w, "attachment", &x.Attachments, parts[Attachment]("MultimediaType"))
	xsd.Maybe(w, "optoutPaperNotification", &x.OptoutPaper, xsd.Boolean())
	xsd.Maybe(w, "protectedPopulationRecord", &x.ProtectedPopulation, xsd.Boolean())
	w.Unknown(&x.Unknown)
}

// walkContacts walks over the middle of PersonRecordType.
func (x *Person) walkContacts(w *xsd.Walker) {
	xsd.Many(w, "contactInformation", &x.Entries, parts[personv4.Entry]("ContactInformationType"))
	xsd.Many(w, "contactPerson", &x.ContactPersons, parts[personv4.ContactPerson]("ContactPersonType"))
	xsd.Many(w, "confirmedIdentity", &x.Confirmed, parts[ConfirmedIdentity]("ConfirmedIdentityType"))
	xsd.Maybe(w, "administrativeInformation", &x.Administrative, parts[AdministrativeInformation]("AdministrativeInformationType"))
}

func core(local string) xml.Name { return xml.Name{Space: personv4.Namespace, Local: local} }

// parts is the kind of a complex type of the core schema.
func parts[T any, P xsd.Walkable[T]](name string) xsd.Kind[T] { return xsd.Parts[T, P](core(name)) }

func identity() xsd.Kind[personv4.ID]               { return parts[personv4.ID]("IIType") }
func actor() xsd.Kind[personv4.Actor]               { return parts[personv4.Actor]("ActorType") }
func address() xsd.Kind[personv4.Address]           { return parts[personv4.Address]("ResidentialAddressType") }
func partialDate() xsd.Kind[PartialDate]            { return parts[PartialDate]("PartialDateType") }
func locality() xsd.Kind[Locality]                  { return parts[Locality]("PopulationRegistrationLocalityType") }
func deregistration() xsd.Kind[Deregistration]      { return parts[Deregistration]("DeregistrationType") }
func codedValue() xsd.Kind[string]                  { return xsd.Text(core("CodedValue"), 0, 40) }
func countryCode() xsd.Kind[string]                 { return xsd.Text(core("CountryCode"), 1, 2) }
func upTo(name string, length int) xsd.Kind[string] { return xsd.Text(core(name), 0, length) }
func string2() xsd.Kind[string]                     { return upTo("String2", 2) }
func string40() xsd.Kind[string]                    { return upTo("String40", 40) }
func string80() xsd.Kind[string]                    { return upTo("String80", 80) }

func profile() xsd.Kind[string] {
	return xsd.Enumeration(core("LookupProfileType"), "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10")
}

// personName is the element that MarshalPerson writes. It never travels on its own.
func personName() xml.Name { return core("personRecord") }

// MarshalPerson writes a person in the one form it has: equal persons, equal bytes. The error says what the schema forbids.
func MarshalPerson(x Person) ([]byte, error) {
	text, err := xsd.Encode(personName(), &x)
	if err != nil {
		return nil, err
	}
	return text, nil
}

// UnmarshalPerson reads what MarshalPerson wrote, as strictly as from the wire.
func UnmarshalPerson(text []byte) (Person, error) {
	e, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{})
	if err != nil {
		return Person{}, fmt.Errorf("read stored person: %w", err)
	}
	var x Person
	err = xsd.Decode(personName(), &x, e)
	return x, err
}
