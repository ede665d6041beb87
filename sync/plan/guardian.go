package plan

import (
	"slices"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// ChildAge is the age from which a person decides alone: no guardian decides any more.
const ChildAge = 13

// Profile is what the register says of who a person is.
type Profile struct {
	Primary   contact.PersonID   // the number that the person has now
	Others    []contact.PersonID // all other numbers of the same person that the register knows
	Guardians []contact.PersonID // who has custody of the person now
	Protected bool               // by secrecy marking or protected registration
	Deceased  bool
	Version   string // of the record
}

// Has tells whether a number is one of the person's.
func (p Profile) Has(id contact.PersonID) bool {
	return id == p.Primary || slices.Contains(p.Others, id)
}

// Answer is what the register said when it was asked about a person, and about who claims to be its guardian.
type Answer struct {
	Person *Profile // nil: the register does not know the person
	// Guardians has those who were asked about; nil for one that the register does not know.
	Guardians map[contact.PersonID]*Profile
}

// Judged is a guardian's share on which the register's answer has decided.
type Judged struct {
	Share     Share
	Confirmed bool // false: refused, for good
}

// Judge decides on guardians' shares that wait, as far as the answer allows. One that is confirmed takes part from now on; that
// holds for this one decision, and the guardian's next one waits anew. The state is kept under the number kept.
func (s *State) Judge(kept contact.PersonID, a Answer) (verdicts []Verdict, judged []Judged) {
	for _, w := range s.Waiting {
		if !s.waits(w) {
			continue // passed by one that was confirmed just now
		}
		switch allowed, known := a.allows(w, kept); {
		case !known:
		case allowed:
			s.stopWaiting(w)
			verdicts = append(verdicts, s.Apply(Event{Share: &w})...)
			judged = append(judged, Judged{w, true})
		default:
			s.stopWaiting(w)
			verdicts = append(verdicts, w.verdict(event.Parked, reason.GuardianNotAllowed))
			judged = append(judged, Judged{w, false})
		}
	}
	return verdicts, judged
}

func (s State) waits(w Share) bool {
	return slices.ContainsFunc(s.Waiting, func(other Share) bool { return other.mark() == w.mark() })
}

func (s *State) stopWaiting(w Share) {
	s.Waiting = slices.DeleteFunc(slices.Clone(s.Waiting), func(other Share) bool { return other.mark() == w.mark() })
}

// allows is the rule on guardians. It does not know while the register does not know the child, or not a guardian that it names.
func (a Answer) allows(w Share, kept contact.PersonID) (allowed, known bool) {
	guardian, asked := a.Guardians[w.Guardian]
	if a.Person == nil || !asked {
		return false, false
	}
	for _, child := range []contact.PersonID{kept, w.Under, a.Person.Primary} {
		if !child.IsZero() && !IsChild(child, w) {
			return false, true
		}
	}
	if a.Person.Protected || !a.Person.inCustodyOf(w.Guardian, guardian) {
		return false, true
	}
	if guardian == nil {
		return false, false
	}
	return !guardian.Protected && !guardian.Deceased, true
}

// inCustodyOf compares all numbers of a guardian: the register may have the custody under another one than the guardian logs in with.
func (p Profile) inCustodyOf(id contact.PersonID, known *Profile) bool {
	return slices.ContainsFunc(p.Guardians, func(g contact.PersonID) bool { return g == id || known != nil && known.Has(g) })
}

// IsChild tells whether a person was for certain under 13 when a share was decided, so that a guardian may decide.
func IsChild(p contact.PersonID, s Share) bool {
	years, known := p.Age(s.DecidedAt)
	return known && years < ChildAge
}
