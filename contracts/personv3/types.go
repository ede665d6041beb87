package personv3

import (
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Record is what this major shows of a register's record (ContactInformationRecordType).
type Record struct {
	rivta.Redacted
	Version         string // that of the record, whichever major wrote it
	Person          personv4.ID
	Entries         []Entry
	ContactPersons  []ContactPerson
	ProtectedPerson bool // sekretessmarkering, or skyddad folkbokföring: this major has no word of its own for the latter
	Actor           *Actor
	Unknown         []rivta.Element
}

// Entry is one way to reach a person (ContactInformationType); see personv4.Entry.
type Entry struct {
	rivta.Redacted
	Type    string
	Use     *string
	Value   *string
	Rank    *int
	Comment *string
	Period  *personv4.Period
	Unknown []rivta.Element
}

// ContactPerson is somebody else through whom the person can be reached (ContactPersonType); see personv4.ContactPerson.
type ContactPerson struct {
	rivta.Redacted
	Relationship  string
	PriorityOrder *int
	GivenName     *string
	SurName       *string
	MiddleName    *string
	Address       *personv4.Address
	Entries       []Entry
	Unknown       []rivta.Element
}

// Actor is who made a change (ActorType). When it was made, this major does not tell.
type Actor struct {
	rivta.Redacted
	ID           personv4.ID
	Professional *personv4.Professional // nil: the person itself
	Unknown      []rivta.Element
}

// Update replaces what this major shows of a record (UpdatePersonContactInformationType). What it leaves out is removed; what
// it cannot say is kept.
type Update struct {
	rivta.Redacted
	Actor           Actor
	Person          personv4.ID
	VersionToUpdate string // Record.Version of the read before, through this major or a newer one; empty: not given
	Entries         []Entry
	ContactPersons  []ContactPerson
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
