package plan

import (
	"slices"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Join takes in what was kept under another number of the same person, or nothing if that number is new: what the person wants is
// the newest of all that was decided under any of them. It returns the verdicts of decisions that lose by that.
//
// The register counts as showing the want no longer: a withdrawal must go to the record of the other number too, a share from there
// to this one, and beside a share nothing may be left there, since a withdrawal may have come before it.
func (s *State) Join(other State, under contact.PersonID) []Verdict {
	other.makeUnder(under)
	open := slices.Concat(s.open(), other.open())
	s.takeAll(other)
	s.Settled, s.Parked = "", ""
	var out []Verdict
	for _, w := range open {
		if m := w.Mark(); m != s.Want().Mark() && !s.isBlocked(m) {
			out = append(out, w.superseded())
		}
	}
	for _, w := range other.Waiting {
		out = append(out, slices.DeleteFunc(s.wait(w), func(v Verdict) bool { return v.Outcome == event.Parked })...)
	}
	return append(out, s.dropWaiting()...)
}

func (s *State) takeAll(other State) {
	if other.Registered.Revision > s.Registered.Revision || s.Registered == (Registered{}) {
		s.Registered = other.Registered
	}
	if other.Withdrawal != nil {
		s.withdraw(*other.Withdrawal)
	}
	for _, w := range other.Scoped {
		s.withdraw(w)
	}
	if other.Share != nil {
		s.take(*other.Share)
		if other.isDropped(s.Share.mark()) && !s.passed(*s.Share) {
			s.Blocked = reason.Dropped
		}
	}
}

// makeUnder marks every decision with the number it was made under, unless it is from a third one.
func (s *State) makeUnder(p contact.PersonID) {
	mark := func(under *contact.PersonID) {
		if under.IsZero() {
			*under = p
		}
	}
	if s.Share != nil {
		share := *s.Share
		mark(&share.Under)
		s.Share = &share
	}
	if s.Withdrawal != nil {
		w := *s.Withdrawal
		mark(&w.Under)
		s.Withdrawal = &w
	}
	scoped := map[string]Withdrawal{}
	for source, w := range s.Scoped {
		mark(&w.Under)
		scoped[source] = w
	}
	s.Scoped, s.Waiting = scoped, slices.Clone(s.Waiting)
	for i := range s.Waiting {
		mark(&s.Waiting[i].Under)
	}
}

// open are the decisions that count and are not shown by the register: each is owed a verdict.
func (s State) open() (out []Want) {
	if s.Due() {
		out = append(out, s.Want())
	}
	if b := s.blocked(); b != nil {
		out = append(out, Want{Kind: Shared, Revision: b.Revision, EventID: b.EventID, Source: b.Source, Under: b.Under})
	}
	return out
}
