package plan

import (
	"slices"

	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Verdict is an outcome that became known for one decision.
type Verdict struct {
	EventID  string
	Revision int64
	Outcome  event.OutcomeKind
	Reason   reason.Code
	Effects  []reason.Code
	Version  string // of the register record that showed it; empty where none was read
}

// Event is a valid decision: exactly one of the two is set.
type Event struct {
	Share      *Share
	Withdrawal *Withdrawal
	// Unconfirmed marks a share by a guardian. It waits beside the state until the register confirms the guardianship.
	Unconfirmed bool
}

func (e Event) id() (string, int64) {
	if e.Share != nil {
		return e.Share.EventID, e.Share.Revision
	}
	return e.Withdrawal.EventID, e.Withdrawal.Revision
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
	var out []Verdict
	after := s.Want()
	if after.EventID != before.EventID {
		s.Parked = ""
		if before.Kind != Unasked && before.EventID != s.Settled {
			out = append(out, superseded(before.EventID, before.Revision))
		}
	}
	if blocked != nil && s.blocked() == nil {
		out = append(out, superseded(blocked.EventID, blocked.Revision))
	}
	if id, revision := e.id(); id != after.EventID && !s.isBlocked(id) {
		out = append(out, s.passedOver(e, id, revision))
	}
	return append(out, s.dropWaiting()...)
}

func (s *State) blocked() *Share {
	if s.Blocked == "" {
		return nil
	}
	return s.Share
}

func (s *State) isBlocked(eventID string) bool {
	b := s.blocked()
	return b != nil && b.EventID == eventID
}

func superseded(eventID string, revision int64) Verdict {
	return Verdict{EventID: eventID, Revision: revision, Outcome: event.Superseded, Reason: reason.NewerDecision}
}

// passedOver is the verdict of a decision that did not become the want.
func (s *State) passedOver(e Event, id string, revision int64) Verdict {
	scoped := e.Withdrawal != nil && e.Withdrawal.Scoped
	switch {
	case scoped && s.Share == nil:
		return Verdict{EventID: id, Revision: revision, Outcome: event.Unchanged}
	case scoped && s.Share.Source != e.Withdrawal.Source:
		return Verdict{EventID: id, Revision: revision, Outcome: event.Unchanged, Reason: reason.SharedElsewhere}
	default:
		return superseded(id, revision)
	}
}

// wait keeps a guardian's share beside the state until the register confirms the guardianship.
func (s *State) wait(share Share) []Verdict {
	if s.passed(share) {
		return []Verdict{superseded(share.EventID, share.Revision)}
	}
	if slices.ContainsFunc(s.Waiting, func(w Share) bool { return w.EventID == share.EventID }) {
		return nil
	}
	s.Waiting = append(s.Waiting, share)
	return []Verdict{{EventID: share.EventID, Revision: share.Revision, Outcome: event.Parked, Reason: reason.GuardianUnconfirmed}}
}

// dropWaiting lets go of guardians' shares that a newer decision has passed.
func (s *State) dropWaiting() []Verdict {
	var out []Verdict
	s.Waiting = slices.DeleteFunc(s.Waiting, func(w Share) bool {
		passed := s.passed(w)
		if passed {
			out = append(out, superseded(w.EventID, w.Revision))
		}
		return passed
	})
	return out
}

// Due tells whether the register must still act on the want.
func (s State) Due() bool {
	w := s.Want()
	return w.Kind != Unasked && w.EventID != s.Settled
}

// Settle records that the register shows what w wanted. It returns the verdict v for that decision, unless a newer one has
// superseded it meanwhile or it was given before.
func (s *State) Settle(w Want, v Verdict) []Verdict {
	s.Registered = Registered{}
	if w.Kind == Shared {
		s.Registered = Registered{Revision: w.Revision, Source: w.Source}
	}
	if s.Want().EventID != w.EventID || s.Settled == w.EventID {
		return nil
	}
	s.Settled, s.Parked = w.EventID, ""
	v.EventID, v.Revision = w.EventID, w.Revision
	return []Verdict{v}
}

// Park records that the register cannot be made to show what w wants for now. Behind a share that is blocked an older
// withdrawal may become the want again; a parked withdrawal stays due.
func (s *State) Park(w Want, why reason.Code) []Verdict {
	if s.Want().EventID != w.EventID || s.Parked == why {
		return nil
	}
	if w.Kind == Shared {
		s.Blocked = why
	} else {
		s.Parked = why
	}
	return []Verdict{{EventID: w.EventID, Revision: w.Revision, Outcome: event.Parked, Reason: why}}
}
