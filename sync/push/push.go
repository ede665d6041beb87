// Package push brings the register in line with what persons want: one claim, one read, one decision, at most one write.
//
// It owns the order of work (withdrawals before shares), the lease's discipline and the rules that keep a delayed packet from
// winning; sync/README.md tells them crash by crash. What is wanted comes from a Store, the register is behind Register, the
// decision itself is plan.Decide. Beside it the Asker learns from the register who persons are: guardians, and other numbers of the
// same person. Start with Pusher.Run, then attempt.
package push

import (
	"context"
	"errors"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// Store hands out persons that are due, under a lease, and records what came of it.
type Store interface {
	// Claim leases up to limit due persons: with a withdrawal due if urgent, else with shares only. Unless shares is true, and no
	// unread withdrawal may be overlooked, the claims have no share among their targets; they may then have none at all.
	Claim(ctx context.Context, limit int, urgent, shares bool) ([]Claim, error)
	// UnderWay counts withdrawals that somebody works on, whichever worker, as far as limit.
	UnderWay(ctx context.Context, limit int) (int, error)
	// Waiting names up to limit persons of one number whom nobody works on, those first whose turn comes first.
	Waiting(ctx context.Context, limit int) ([]contact.PersonID, error)
	// Finish records what came of claims, each whole or not at all, but not of those whose lease has gone to another: these it returns.
	Finish(ctx context.Context, ended []Ended) (lost []Claim, err error)
	// Hasten makes everybody due who waits only because an attempt failed.
	Hasten(ctx context.Context) error
}

// Register is the personal-data service behind one of its contracts.
type Register interface {
	// Read returns the person's record; nil for a person the register does not know.
	Read(ctx context.Context, p contact.PersonID) (Reading, error)
}

// Reading is a record as it was read.
type Reading interface {
	Record() plan.Record
	// Write changes the record if it still has the version that was read, and returns the new version.
	// Its error is an *Error; any other counts as Unknown.
	Write(ctx context.Context, w plan.Write) (version string, err error)
}

// Claim is a lease on one person.
type Claim struct {
	ID      int64 // the store's number of the person
	Person  contact.PersonID
	Token   int64     // of the lease
	Expires time.Time // when the lease runs out, by the claimer's own clock
	Targets []plan.Target
	// Unsure tells that the end of an earlier attempt is unknown: its write may land at any time.
	Unsure   bool
	Attempts int // since the last success
	Written  Written
	Linked   []Linked // the records of the person's other numbers
	// AskFirst tells that a share waits for the register's word on who the person is; then no share is among the targets.
	AskFirst bool
	Seen     any // the store's own: what it knew when it made the claim
}

// Linked is the record of another number of a claimed person. The lease holds for it too.
type Linked struct {
	ID      int64
	Person  contact.PersonID
	Unsure  bool
	Written Written
}

// Written is the answer to the last write that was answered, by whichever worker.
type Written struct {
	Version string
	At      time.Time // by the claimer's own clock
}

// Result is what came of a claim.
type Result struct {
	Settled []Settled
	Parked  []Parked
	Unsure  bool
	Written Written       // zero if no write was answered
	RetryIn time.Duration // when the targets that are neither settled nor parked are due again
	Untried bool          // this was no attempt: the register was not asked, a version's second is not over, or our last write may not show yet
	Linked  []RecordResult
}

// Ended is a claim and what came of it.
type Ended struct {
	Claim  Claim
	Result Result
}

// RecordResult is what the next claim must know of the record of another number.
type RecordResult struct {
	ID      int64
	Unsure  bool
	Written Written
}

// Settled is a target that the register shows.
type Settled struct {
	Target  plan.Target
	Outcome event.OutcomeKind // Pushed or Unchanged
	Reason  reason.Code       // why unchanged, where there is more to say
	Effects []reason.Code
	Version string
}

// Parked is a target that cannot be carried out for now.
type Parked struct {
	Target plan.Target
	Reason reason.Code
}

// Class says what may be done after an error.
type Class int

// The classes. Unknown is the zero value: a write that may have happened.
const (
	Unknown Class = iota // the end is not known: read again, and write before believing the read
	Retry                // nothing happened: try again later
	Stale                // the record has another version: nothing happened, read again
	Refused              // nothing happened, and the same will be refused again
)

// Error is the error of a register call, classified where it arises.
type Error struct {
	Class      Class
	Reason     reason.Code   // with Refused
	Unnamed    bool          // with Refused: the register gave no code, so a write may have been stale, and of a question one person be to blame
	RetryAfter time.Duration // the register's wish, zero if none
	Busy       bool          // the register has too much to do, or did not answer in time
	Err        error
}

// ErrOtherRecord is the cause of a refused read that was answered with another number's record: there is none under the one that
// was asked for.
var ErrOtherRecord = errors.New("the record is another number's")

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
