package personv4

import "contactsync/contracts/rivta"

// OIDs of the identity types whose form is checked (IIType.root, TKB 5.1 ch. 6).
const (
	RootPersonnummer      = "1.2.752.129.2.1.3.1"
	RootSamordningsnummer = "1.2.752.129.2.1.3.3"
)

// ID is an identity of a person, a member of staff or an organisation (IIType). It is comparable.
type ID struct {
	rivta.Redacted
	Root      string // OID of the identity type
	Extension string // the identity itself; empty when absent
	Unknown   string // further elements, as text so that IDs stay comparable; empty for all identities seen so far
}

// Record is what the register knows about how to reach a person (ContactInformationRecordType).
type Record struct {
	rivta.Redacted
	Version             string // 14 characters; opaque, compare for equality only
	Person              ID
	Entries             []Entry
	ContactPersons      []ContactPerson
	ProtectedPerson     bool  // sekretessmarkering
	ProtectedPopulation *bool // skyddad folkbokföring
	OptoutPaper         *bool // the person wants no letters on paper
	Actor               *Actor
	Unknown             []rivta.Element
}

// Protected tells whether the restricted contracts hide the person's contact details. An empty record then means nothing.
func (r Record) Protected() bool {
	return r.ProtectedPerson || r.ProtectedPopulation != nil && *r.ProtectedPopulation
}

// Entry is one way to reach a person (ContactInformationType). A nil field is absent, which differs from empty.
type Entry struct {
	rivta.Redacted
	Type                string  // code of at most 40 characters
	Use                 *string // code of at most 40 characters
	Value               *string // telephone number in E.164, or mail address
	Rank                *int
	Comment             *string
	Period              *Period
	DigitalNotification *bool // the person agrees to be notified here
	Unknown             []rivta.Element
}

// Period is when an entry holds (DatePeriodType). Dates are xs:date as written, such as 2026-11-23.
type Period struct {
	rivta.Redacted
	Start, End *string
	Unknown    []rivta.Element
}

// ContactPerson is somebody else through whom the person can be reached (ContactPersonType).
type ContactPerson struct {
	rivta.Redacted
	Relationship  string // contactRelationshipType, a code of at most 40 characters
	PriorityOrder *int
	GivenName     *string // names: at most 80 characters
	SurName       *string
	MiddleName    *string
	Address       *Address
	Entries       []Entry
	Unknown       []rivta.Element
}

// Address is a Swedish postal address (ResidentialAddressType). Lines hold at most 40 characters.
type Address struct {
	rivta.Redacted
	CareOf         *string
	PostalAddress1 *string
	PostalAddress2 *string
	PostalCode     *int // 0 to 99999
	City           *string
	Unknown        []rivta.Element
}

// Actor is who made a change (ActorType).
type Actor struct {
	rivta.Redacted
	ID           ID
	Professional *Professional // nil: the person itself
	UpdateTime   string        // 14 characters of Swedish local time; set by the register; empty: not given
	Unknown      []rivta.Element
}

// Professional tells for which organisation a member of staff acts (ProfessionalType).
type Professional struct {
	rivta.Redacted
	Organization ID
	Unknown      []rivta.Element
}

// Update replaces a record (UpdatePersonContactInformationType). What it leaves out is removed.
type Update struct {
	rivta.Redacted
	Actor           Actor
	Person          ID
	VersionToUpdate string // Record.Version of the read before; empty: not given
	Entries         []Entry
	ContactPersons  []ContactPerson
	OptoutPaper     *bool
	Unknown         []rivta.Element
}

// Result is what came of an update. When it is not OK, nothing was changed.
type Result struct {
	rivta.Redacted
	OK     bool
	Text   string  // fit to show a user; empty when absent
	Code   string  // our own extension, such as "stale_version"; empty from services that have none
	Record *Record // the record after the change; a register may leave it out
}
