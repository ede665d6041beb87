package plan

import (
	"slices"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// Release lets a parked decision be tried anew, so that what comes of it is a further outcome: a blocked share takes part again, a
// withdrawal that was refused, or a guardian's share, is as if nobody had tried yet. False: that decision is not parked (any more).
func (s *State) Release(m Mark) (out []Verdict, ok bool) {
	before := s.Want()
	switch {
	case s.isBlocked(m):
		s.Blocked = ""
		out = append(s.replaced(before), s.wantedAgain(before)...)
	case s.ParkedWithdrawal(m):
		s.Parked = ""
	case !s.waitsAs(m):
		return nil, false
	}
	return out, true
}

// Drop gives a parked share up for good. One that was blocked stays the newest, without its value, so that neither an older share nor a
// replay takes its place; and behind it counts what counted while it was blocked. False: that share is not parked (any more), or it is
// a withdrawal, which nobody can drop.
func (s *State) Drop(m Mark) (out []Verdict, ok bool) {
	if s.isBlocked(m) {
		share := *s.Share
		share.Value, s.Share, s.Blocked = contact.Value{}, &share, reason.Dropped
		return []Verdict{share.dropped()}, true
	}
	for _, w := range s.Waiting {
		if w.mark() == m {
			s.stopWaiting(w)
			return []Verdict{w.dropped()}, true
		}
	}
	return nil, false
}

func (s Share) dropped() Verdict { return s.verdict(event.Parked, reason.Dropped) }

// isDropped tells whether the share with that mark was given up.
func (s *State) isDropped(m Mark) bool {
	return s.Blocked == reason.Dropped && s.Share != nil && s.Share.mark() == m
}

// ParkedWithdrawal tells whether m is the withdrawal that the register refused so far.
func (s *State) ParkedWithdrawal(m Mark) bool { return s.Parked != "" && s.Want().Mark() == m }

func (s *State) waitsAs(m Mark) bool {
	return slices.ContainsFunc(s.Waiting, func(w Share) bool { return w.mark() == m })
}

// ParkedMark is one decision that is parked, and why.
type ParkedMark struct {
	Mark   Mark
	Share  *Share // nil: a withdrawal
	Reason reason.Code
}

// AllParked are the decisions that hold and cannot be pushed for now.
func (s *State) AllParked() (out []ParkedMark) {
	if b := s.blocked(); b != nil {
		out = append(out, ParkedMark{b.mark(), b, s.Blocked})
	}
	if s.Parked != "" {
		out = append(out, ParkedMark{s.Want().Mark(), nil, s.Parked})
	}
	for _, w := range s.Waiting {
		out = append(out, ParkedMark{w.mark(), &w, reason.GuardianUnconfirmed})
	}
	return out
}
