// Package consentpg keeps what residents decide in the portal and support, in PostgreSQL, schema "consent": decision, audit
// entry and the event for Kafka in one transaction.
//
// Revisions are drawn under the lock of the person's channel, and so is the event's place in the outbox: the relay publishes
// them in the order in which they were decided. What became of a decision comes back as outcomes, which Fold takes in
// whatever order they arrive. It knows neither the worker's tables nor the register. Start with Store.Decide.
package consentpg

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/group"
	"contactsync/consent/reason"
)

// Config of a store; all fields but Written are required.
type Config struct {
	Pool   *pgxpool.Pool // on a migrated database
	Source string        // this e-service in its events, urn:hsaid:…
	Pepper []byte        // of the events' Kafka keys
	// AuditKey makes the MACs of the audit.
	AuditKey audit.Key
	Now      func() time.Time
	// Written is called when an event is durable in the outbox; nil: the relay finds it within half a second.
	Written func(context.Context)
}

// Store is the consent schema.
type Store struct {
	Config
	decisions *group.Group[*deciding]
	decided   atomic.Pointer[time.Time] // when the last transaction of the group was over
	waiting   chan struct{}             // decisions that wait for a head
}

// New returns a store.
func New(c Config) (*Store, error) {
	if c.Pool == nil || c.Source == "" || len(c.Pepper) == 0 || c.AuditKey.IsZero() || c.Now == nil {
		return nil, errors.New("consentpg: Pool, Source, Pepper, AuditKey and Now are required")
	}
	s := &Store{Config: c, waiting: make(chan struct{}, max(1, c.Pool.Config().MaxConns/2))}
	s.decisions = s.newDecisions()
	return s, nil
}

// ErrForeignForm says that a wish carries an event id that was used for another person or channel: a forged or mixed-up form.
// Nothing was recorded; the caller shows the person a fresh form.
var ErrForeignForm = errors.New("the form belongs to another person or channel")

// ErrNewerChoice says that another decision was made here than the one the wish was made upon. Nothing was recorded; the caller
// looks again.
var ErrNewerChoice = errors.New("another decision was made meanwhile")

// Wish is a decision to be made. The zero Actor is the resident.
type Wish struct {
	// EventID makes a wish that is sent twice one decision: the second time changes nothing and returns the first's choice. Only
	// a resident's No, without Upon, is made anew under another id when something newer is known. A UUID, drawn with the form;
	// empty: drawn here.
	EventID string
	Person  contact.PersonID
	Channel contact.Channel
	Above   int64   // a revision that the decision must be above, such as one that another e-service drew
	Upon    *string // event id of the newest decision here that the caller knows of, empty for none; nil: whatever it is
	Share   bool
	Value   contact.Value // of a share
	Notify  *bool         // of a share; nil keeps what the register has
	Actor   event.Actor
	Reason  event.WithdrawReason // of a withdrawal; empty is resident
	// Correction says why support removes a detail (wrong_number, not_theirs, typo, deceased, other), Ground what support wrote.
	Correction, Ground string
	Notice             event.Notice // the text that was shown
}

// Choice is the newest decision that was made here for one channel, and what is known of it.
type Choice struct {
	EventID    string
	Revision   int64 // microseconds since 1970
	Share      bool
	Value      contact.Value
	Notify     *bool
	DecidedAt  time.Time
	Actor      event.Role
	Reason     event.WithdrawReason
	Correction string
	// Outcome is what the worker said last; nil: nothing yet.
	Outcome *Outcome
	// Elsewhere tells that a newer decision came through another e-service. What it was is for the register to say.
	Elsewhere *Outcome
}

// Outcome of a decision, as far as the worker has told.
type Outcome struct {
	Revision int64
	Kind     event.OutcomeKind
	Reason   reason.Code
	Effects  []reason.Code
	At       time.Time
	ProvedAt *time.Time // when a withdrawn detail was seen to be gone; nil: not, or not yet
}
