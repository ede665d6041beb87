package plan

import (
	"cmp"
	"slices"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Verdict is an outcome that became known for one decision.
type Verdict struct {
	EventID  string
	Revision int64
	Under    contact.PersonID // the number the decision was made under, if not the one that the state is kept under
	Outcome  event.OutcomeKind
	Reason   reason.Code
	Effects  []reason.Code
	Version  string    // of the register record that showed it; empty where none was read
	ProvedAt time.Time // when a withdrawn detail was seen to be gone; zero: not, or not yet
}

// Event is a valid decision: exactly one of the two is set.
type Event struct {
	Share      *Share
	Withdrawal *Withdrawal
	// Unconfirmed marks a share by a guardian. It waits beside the state until the register confirms the guardianship.
	Unconfirmed bool
}

func (e Event) mark() Mark {
	if e.Share != nil {
		return e.Share.mark()
	}
	return e.Withdrawal.mark()
}

// Apply takes a decision in and returns every verdict that is known at once: of the decision, unless the register must act
// first, and of the decisions it replaced before the register had acted on them. A decision that counts already changes nothing.
func (s *State) Apply(e Event) []Verdict {
	before, blocked := s.Want(), s.blocked()
	switch {
	case e.Withdrawal != nil:
		s.withdraw(*e.Withdrawal)
	case e.Unconfirmed:
		return s.wait(*e.Share)
	default:
		s.take(*e.Share)
	}
	out := s.replaced(before)
	if blocked != nil && s.blocked() == nil {
		out = append(out, superseded(*blocked))
	}
	if m := e.mark(); m != s.Want().Mark() && !s.isBlocked(m) {
		out = append(out, s.passedOver(e))
	}
	out = append(out, s.dropWaiting()...)
	return append(out, s.wantedAgain(before)...)
}

// wantedAgain gives the verdict of a decision that the want has come back to while the register still shows it. A share that is
// blocked, or a scoped withdrawal and shares of two e-services, can take the want away and back, and a repetition of the
// decision meanwhile was told that it is superseded; nothing is left to push that would tell better.
func (s *State) wantedAgain(before Want) []Verdict {
	w := s.Want()
	if w.Kind == Unasked || w.Mark() == before.Mark() || w.Mark() != s.Settled {
		return nil
	}
	return []Verdict{w.verdict(event.Unchanged, "")}
}

// replaced gives the verdict of a want that is none any more, if the register had not acted on it.
func (s *State) replaced(before Want) []Verdict {
	if s.Want().Mark() == before.Mark() {
		return nil
	}
	s.Parked = ""
	if before.Kind == Unasked || before.Mark() == s.Settled {
		return nil
	}
	return []Verdict{before.superseded()}
}

// blocked is the share that waits until it can be pushed.
func (s *State) blocked() *Share {
	if s.Blocked == "" || s.Blocked == reason.Dropped {
		return nil
	}
	return s.Share
}

func (s *State) isBlocked(m Mark) bool {
	b := s.blocked()
	return b != nil && b.mark() == m
}

// Verdict is one on the decision that the want comes from.
func (w Want) Verdict(outcome event.OutcomeKind) Verdict { return w.verdict(outcome, "") }

func (w Want) verdict(outcome event.OutcomeKind, why reason.Code) Verdict {
	return Verdict{EventID: w.EventID, Revision: w.Revision, Under: w.Under, Outcome: outcome, Reason: why}
}

func (w Want) superseded() Verdict { return w.verdict(event.Superseded, reason.NewerDecision) }

func (s Share) verdict(outcome event.OutcomeKind, why reason.Code) Verdict {
	return Verdict{EventID: s.EventID, Revision: s.Revision, Under: s.Under, Outcome: outcome, Reason: why}
}

func superseded(s Share) Verdict { return s.verdict(event.Superseded, reason.NewerDecision) }

// passedOver is the verdict of a decision that did not become the want.
func (s *State) passedOver(e Event) Verdict {
	if e.Share != nil && s.isDropped(e.Share.mark()) {
		return e.Share.dropped()
	}
	if e.Share != nil {
		return superseded(*e.Share)
	}
	w := want(*e.Withdrawal)
	switch {
	case e.Withdrawal.Scoped && s.Share == nil:
		return w.verdict(event.Unchanged, "")
	case e.Withdrawal.Scoped && s.Share.Source != w.Source:
		return w.verdict(event.Unchanged, reason.SharedElsewhere)
	default:
		return w.superseded()
	}
}

// mostWaiting bounds the guardians' shares that wait for one channel: whoever sends more cannot fill the row.
const mostWaiting = 20

// wait keeps a guardian's share beside the state until the register confirms the guardianship: of each guardian the newest.
func (s *State) wait(share Share) []Verdict {
	if s.passed(share) {
		return []Verdict{superseded(share)}
	}
	if s.Share != nil && s.Share.mark() == share.mark() {
		return nil // confirmed before
	}
	for i, w := range s.Waiting {
		if w.mark() == share.mark() {
			return nil
		}
		if w.Guardian == share.Guardian {
			return s.waitInstead(i, share)
		}
	}
	out := []Verdict{share.unconfirmed()}
	s.Waiting = append(s.Waiting, share)
	if len(s.Waiting) > mostWaiting {
		oldest := slices.MinFunc(s.Waiting, func(a, b Share) int { return cmp.Compare(a.Revision, b.Revision) })
		s.Waiting = slices.DeleteFunc(s.Waiting, func(w Share) bool { return w.mark() == oldest.mark() })
		out = append(out, superseded(oldest))
	}
	return out
}

func (s Share) unconfirmed() Verdict { return s.verdict(event.Parked, reason.GuardianUnconfirmed) }

// waitInstead lets the newer of two shares of one guardian wait.
func (s *State) waitInstead(i int, share Share) []Verdict {
	old := s.Waiting[i]
	if newerShare(old, share) {
		return []Verdict{superseded(share)}
	}
	s.Waiting = slices.Clone(s.Waiting)
	s.Waiting[i] = share
	return []Verdict{superseded(old), share.unconfirmed()}
}

// dropWaiting lets go of guardians' shares that a newer decision has passed.
func (s *State) dropWaiting() []Verdict {
	var out []Verdict
	s.Waiting = slices.DeleteFunc(s.Waiting, func(w Share) bool {
		passed := s.passed(w)
		if passed {
			out = append(out, superseded(w))
		}
		return passed
	})
	return out
}

// Due tells whether the register must still act on the want.
func (s State) Due() bool {
	w := s.Want()
	return w.Kind != Unasked && w.Mark() != s.Settled
}

// Settle records that the register shows what w wanted. It returns the verdict v for that decision, unless a newer one has
// superseded it meanwhile or it was given before. A want that moved on, or back, during the push is due.
func (s *State) Settle(w Want, v Verdict) []Verdict {
	before := s.Want()
	again := s.Settled == w.Mark()
	s.Settled, s.Registered = w.Mark(), Registered{}
	if w.Kind == Shared {
		s.Registered = Registered{Revision: w.Revision, Source: w.Source}
	}
	if before.Mark() != w.Mark() {
		return append(s.replaced(before), s.wantedAgain(before)...) // behind a blocked share the want may hang on what is registered
	}
	s.Parked = ""
	if again {
		return nil
	}
	v.EventID, v.Revision, v.Under = w.EventID, w.Revision, w.Under
	return []Verdict{v}
}

// Doubt records that a write for w may or may not have happened: nothing counts as shown any more.
func (s *State) Doubt(w Want) {
	s.Settled = ""
	if w.Kind == Shared {
		s.Registered = s.Registered.or(w.Source)
	}
}

// Park records that the register cannot be made to show what w wants for now. Behind a share that is blocked an older
// withdrawal may become the want again; a parked withdrawal stays due.
func (s *State) Park(w Want, why reason.Code) []Verdict {
	before := s.Want()
	if before.Mark() != w.Mark() || s.Parked == why {
		return nil
	}
	if w.Kind == Shared {
		s.Blocked = why
	} else {
		s.Parked = why
	}
	return append([]Verdict{w.verdict(event.Parked, why)}, s.wantedAgain(before)...)
}
