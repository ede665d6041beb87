package personv4

import (
	"slices"

	"contactsync/contracts/rivta"
)

// HasUnknown tells whether any of the update's further elements is such a one, wherever in the update it stands. It does not
// look into them.
func (x Update) HasUnknown(such func(rivta.Element) bool) bool {
	has := func(unknown []rivta.Element) bool { return slices.ContainsFunc(unknown, such) }
	return has(x.Unknown) || x.Actor.hasUnknown(has) || has(fromText(x.Person.Unknown)) ||
		slices.ContainsFunc(x.Entries, func(e Entry) bool { return e.hasUnknown(has) }) ||
		slices.ContainsFunc(x.ContactPersons, func(p ContactPerson) bool { return p.hasUnknown(has) })
}

type hasFunc = func([]rivta.Element) bool

func (x Actor) hasUnknown(has hasFunc) bool {
	p := x.Professional
	return has(x.Unknown) || has(fromText(x.ID.Unknown)) || p != nil && (has(p.Unknown) || has(fromText(p.Organization.Unknown)))
}

func (x Entry) hasUnknown(has hasFunc) bool {
	return has(x.Unknown) || x.Period != nil && has(x.Period.Unknown)
}

func (x ContactPerson) hasUnknown(has hasFunc) bool {
	return has(x.Unknown) || x.Address != nil && has(x.Address.Unknown) ||
		slices.ContainsFunc(x.Entries, func(e Entry) bool { return e.hasUnknown(has) })
}
