// Package consentpg keeps what residents decide in the portal and support, in PostgreSQL, schema "consent": decision, audit
// entry and the event for Kafka in one transaction.
//
// Revisions are drawn under the lock of the person's channel, and so is the event's place in the outbox: the relay publishes
// them in the order in which they were decided. What became of a decision comes back as outcomes, which Fold takes in
// whatever order they arrive. It knows neither the worker's tables nor the register. Start with Store.Decide.
package consentpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
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
type Store struct{ Config }

// New returns a store.
func New(c Config) (*Store, error) {
	if c.Pool == nil || c.Source == "" || len(c.Pepper) == 0 || c.AuditKey.IsZero() || c.Now == nil {
		return nil, errors.New("consentpg: Pool, Source, Pepper, AuditKey and Now are required")
	}
	return &Store{c}, nil
}

// ErrForeignForm says that a wish carries an event id that was used for another person or channel: a forged or mixed-up form.
// Nothing was recorded; the caller shows the person a fresh form.
var ErrForeignForm = errors.New("the form belongs to another person or channel")

// ErrNewerChoice says that another decision was made here than the one the wish was made upon. Nothing was recorded; the caller
// looks again.
var ErrNewerChoice = errors.New("another decision was made meanwhile")

// Wish is a decision to be made. The zero Actor is the resident.
type Wish struct {
	// EventID makes a wish that is sent twice one decision: the second time changes nothing and returns the first's choice. A
	// UUID, drawn with the form; empty: drawn here.
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

// Decide makes a decision durable: the decision, its audit entry and its event, all or nothing. Its revision is the time in
// microseconds, or one above the highest that is known.
func (s *Store) Decide(ctx context.Context, w Wish) (Choice, error) {
	c, err := s.decide(ctx, w)
	if err != nil {
		return Choice{}, fmt.Errorf("record decision: %w", err)
	}
	if s.Written != nil {
		s.Written(ctx)
	}
	return c, nil
}

// decide is one transaction of two round trips: it begins with the first statement and is committed with the last one. A connection on
// which it has not ended is not used again by the pool, but closed.
func (s *Store) decide(ctx context.Context, w Wish) (c Choice, err error) {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return c, err
	}
	defer conn.Release()
	defer func() {
		if err != nil {
			_, _ = conn.Exec(ctx, `rollback`)
		}
	}()
	highest, newest, before, err := lockHead(ctx, conn, w)
	switch {
	case err != nil:
		return c, err
	case before != nil:
		_, err = conn.Exec(ctx, `commit`)
		return *before, err
	case w.Upon != nil && *w.Upon != newest:
		return c, ErrNewerChoice
	}
	d := s.decision(w, max(highest, w.Above))
	return Choice{EventID: d.EventID, Revision: d.Revision, Share: d.Share, Value: d.Value, Notify: d.Notify, DecidedAt: d.DecidedAt,
		Actor: d.Actor.Role, Reason: d.Reason, Correction: w.Correction}, s.write(ctx, conn, d, w)
}

// lockHead begins a transaction and locks the row that one person's decisions on a channel are numbered under. It returns the highest revision known, the newest
// decision made here, and the choice that the same form led to before, or nil.
func lockHead(ctx context.Context, conn *pgxpool.Conn, w Wish) (revision int64, eventID string, before *Choice, err error) {
	root, extension, channel := w.Person.Root(), w.Person.RevealExtension(), string(w.Channel)
	var batch pgx.Batch
	batch.Queue(`begin`)
	batch.Queue(`
		insert into consent.channel as c (root, extension, channel) values ($1, $2, $3)
		on conflict (root, extension, channel) do update set revision = c.revision
		returning revision, event_id`, root, extension, channel).QueryRow(func(row pgx.Row) error { return row.Scan(&revision, &eventID) })
	if w.EventID != "" { // a statement of its own: it sees what was decided while the lock was waited for
		batch.Queue(`
			select event_id, revision, share, value, notify, decided_at, actor_role, reason, correction,
				root = $2 and extension = $3 and channel = $4
			from consent.decision where event_id = $1`, w.EventID, root, extension, channel).QueryRow(func(row pgx.Row) error {
			before, err = decidedBefore(row)
			return err
		})
	}
	err = conn.SendBatch(ctx, &batch).Close()
	return revision, eventID, before, err
}

func decidedBefore(row pgx.Row) (*Choice, error) {
	var c Choice
	var same bool
	var value *string
	err := row.Scan(&c.EventID, &c.Revision, &c.Share, &value, &c.Notify, &c.DecidedAt, &c.Actor, &c.Reason, &c.Correction, &same)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case !same:
		return nil, ErrForeignForm
	case value != nil:
		c.Value = contact.KnownValue(*value)
	}
	return &c, nil
}

func (s *Store) decision(w Wish, highest int64) event.Decision {
	now := s.Now()
	d := event.Decision{
		EventID: cmp.Or(w.EventID, uuid.NewString()), Source: s.Source, Time: now, Person: w.Person, Channel: w.Channel, Share: w.Share,
		Revision: max(now.UnixMicro(), highest+1), DecidedAt: now, Actor: w.Actor, Notice: w.Notice,
	}
	if d.Actor.Role == "" {
		d.Actor.Role = event.RoleResident
	}
	if w.Share {
		d.Value, d.Notify = w.Value, w.Notify
	} else if d.Reason = w.Reason; d.Reason == "" {
		d.Reason = event.ReasonResident
	}
	return d
}

// write stores the decision and commits.
func (s *Store) write(ctx context.Context, conn *pgxpool.Conn, d event.Decision, w Wish) error {
	root, extension, channel := d.Person.Root(), d.Person.RevealExtension(), string(d.Channel)
	var value *string
	if d.Share {
		value = new(d.Value.Reveal())
	}
	headers, body := d.Binary()
	var batch pgx.Batch
	batch.Queue(`update consent.decision set value = null where root = $1 and extension = $2 and channel = $3 and value is not null`,
		root, extension, channel)
	batch.Queue(`
		insert into consent.decision (event_id, root, extension, channel, revision, share, value, notify, decided_at, actor_role,
			actor_id, reason, correction, notice, language)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		d.EventID, root, extension, channel, d.Revision, d.Share, value, d.Notify, d.DecidedAt, string(d.Actor.Role),
		d.Actor.HSAID, string(d.Reason), w.Correction, d.Notice.Version, d.Notice.Language)
	batch.Queue(`update consent.channel set revision = $4, event_id = $5 where root = $1 and extension = $2 and channel = $3`,
		root, extension, channel, d.Revision, d.EventID)
	queueAudit(&batch, s.AuditKey, Act{Person: d.Person, Channel: d.Channel, Actor: d.Actor, Action: "decide " + verb(d.Share),
		Ground: ground(w, d), Outcome: "saved", EventID: d.EventID}, d.Time)
	batch.Queue(`
		insert into consent.outbox (id, topic, key, headers, value, created_at)
		values (nextval('consent.outbox_id'), $1, $2, $3, $4, $5)`,
		event.TopicDecisions, event.Key(s.Pepper, d.Person), flat(headers), body, d.Time)
	batch.Queue(`commit`)
	return conn.SendBatch(ctx, &batch).Close()
}

func verb(share bool) string {
	if share {
		return "share"
	}
	return "withdraw"
}

func ground(w Wish, d event.Decision) string {
	if w.Correction == "" {
		return string(d.Reason)
	}
	return w.Correction + ": " + w.Ground
}

func flat(headers []event.Header) []string {
	out := make([]string, 0, 2*len(headers))
	for _, h := range headers {
		out = append(out, h.Key, string(h.Value))
	}
	return out
}
