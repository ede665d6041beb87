package support

import (
	"slices"

	"contactsync/consent/consentpg"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// Stage is where a channel's newest decision has got to.
type Stage string

// The stages. A resident, support and an operator see the same ones.
const (
	Undecided Stage = "undecided" // no decision counts: whatever stands in the register is not ours to touch
	Saved     Stage = "saved"     // made durable here, on its way to the worker
	UnderWay  Stage = "under_way" // the worker has it; the register has not been seen to show it yet
	PassedOn  Stage = "passed_on" // the register shows what was shared
	Removed   Stage = "removed"   // the register was seen to show nothing of the resident's own
	Parked    Stage = "parked"    // holds, and cannot be pushed yet: Reason says why
	Refused   Stage = "refused"   // takes no part: Reason says why
)

// State is a stage with its reason.
type State struct {
	Stage  Stage
	Reason reason.Code // of Parked and Refused
}

// notYet are the reasons that a decision waits for; every other reason of a parked outcome refuses it for good.
func notYet(c reason.Code) bool {
	return slices.Contains([]reason.Code{reason.GuardianUnconfirmed, reason.PersonUnknown, reason.PersonDeceased,
		reason.ProtectedNoAuthority, reason.ContractCannotExpress, reason.AwaitingApproval, reason.RegisterRefused}, c)
}

// stateOf is the state of a channel: of the newest decision made here, as far as the worker has not got it or has refused it,
// else of what the worker keeps. last is the newest outcome told of, for a channel that nothing else is known of.
func stateOf(here *consentpg.Choice, s plan.State, unproved bool, last *consentpg.Told) State {
	if ahead(here, s) {
		if here.Outcome == nil {
			return State{Stage: Saved}
		}
		if here.Outcome.Kind == event.Parked && !notYet(here.Outcome.Reason) {
			return State{Refused, here.Outcome.Reason}
		}
	}
	want := s.Want()
	switch {
	case s.Blocked != "" && s.Blocked != reason.Dropped:
		return State{Parked, s.Blocked}
	case s.Parked != "":
		return State{Parked, s.Parked}
	case len(s.Waiting) > 0:
		return State{Parked, reason.GuardianUnconfirmed}
	case s.Blocked == reason.Dropped:
		return State{Refused, s.Blocked}
	case s.Due(), want.Kind == plan.Withdrawn && unproved:
		return State{Stage: UnderWay}
	case want.Kind == plan.Shared:
		return State{Stage: PassedOn}
	case want.Kind == plan.Withdrawn:
		return State{Stage: Removed}
	case last != nil && last.Outcome == event.Parked && !notYet(last.Reason):
		return State{Refused, last.Reason}
	default:
		return State{Stage: Undecided}
	}
}

// ahead tells whether the newest decision made here is newer than all that the worker keeps.
func ahead(here *consentpg.Choice, s plan.State) bool {
	return here != nil && here.Revision > newestRevision(s)
}

func newestRevision(s plan.State) int64 {
	var newest int64
	if s.Share != nil {
		newest = s.Share.Revision
	}
	if s.Withdrawal != nil {
		newest = max(newest, s.Withdrawal.Revision)
	}
	for _, w := range s.Waiting {
		newest = max(newest, w.Revision)
	}
	return newest
}
