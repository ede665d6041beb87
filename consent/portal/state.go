package portal

import (
	"strings"

	"contactsync/consent/consentpg"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// state is where a channel stands, as the resident sees it.
type state string

const (
	never      state = "never"      // no choice was made, here or elsewhere
	saved      state = "saved"      // here, and nothing heard of it yet, or not yet that the detail is gone
	passedOn   state = "passed_on"  // the register has it
	removed    state = "removed"    // the register was seen to have it no more
	refused    state = "refused"    // it will not be passed on; what held before holds
	waiting    state = "waiting"    // it holds, and cannot be passed on yet
	superseded state = "superseded" // a newer choice took its place
	elsewhere  state = "elsewhere"  // and that one came through another e-service
)

// stateOf judges a choice; known is false where there is none.
func stateOf(c consentpg.Choice, known bool) state {
	switch {
	case !known:
		return never
	case c.Elsewhere != nil:
		return elsewhere
	case c.Outcome == nil:
		return saved
	}
	switch c.Outcome.Kind {
	case event.Superseded:
		return superseded
	case event.Pushed, event.Unchanged:
		switch {
		case c.Share:
			return passedOn
		case c.Outcome.ProvedAt == nil && !c.Reason.Scoped(): // what takes back nothing of others' is not looked for
			return saved
		}
		return removed
	}
	if isRefusal(c.Outcome.Reason) {
		return refused
	}
	return waiting // also of a kind that is not known to this version
}

// isRefusal tells the codes by which a decision takes no part from those by which it waits.
func isRefusal(code reason.Code) bool {
	switch code {
	case reason.ActorNotAllowed, reason.ClockAhead, reason.GuardianNotAllowed:
		return true
	}
	return strings.HasPrefix(string(code), "value_invalid:") || strings.HasPrefix(string(code), "form_invalid:")
}

// tone is the colour class of a state; it says nothing that the label does not.
func (s state) tone() string {
	switch s {
	case passedOn, removed:
		return "good"
	case refused:
		return "bad"
	case saved, waiting, elsewhere, superseded:
		return "wait"
	}
	return ""
}
