// Package syncpg keeps the desired state in PostgreSQL, schema "sync": what persons want, who works on whom, how far Kafka is
// read, what waits to be published, and the audit.
//
// It implements intake.Store and push.Store. What a decision means is plan's to say: each transaction locks the rows, applies
// a pure function and writes them back with everything that follows from it. Locks are always taken in the same order: channel
// rows by person and channel, then due rows. Start with Take, Claim and Finish.
package syncpg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/sync/push"
)

// Config of a store.
type Config struct {
	Pool *pgxpool.Pool
	// Source names this worker in outcomes, as urn:hsaid:….
	Source string
	// Pepper keys the pseudonyms that are the outcomes' Kafka keys.
	Pepper []byte
	// AuditKey makes the MACs of the audit.
	AuditKey audit.Key
	// Lease is how long a claimed person belongs to its claimer (10 s if zero). A dead worker's persons wait for so long.
	Lease time.Duration
	// ParkedRetry is how often a withdrawal that the register refused is tried again (15 min if zero).
	ParkedRetry time.Duration
	// ProofAfter is how late a write may show in the register's reads: a removal is looked for after that.
	ProofAfter time.Duration
	// Written is called when there may be something new in the outbox; nil: the relay finds it within half a second.
	Written func(context.Context)
	// Pusher carries out what becomes due, or is told that somebody has; nil: whoever looks for it finds it.
	Pusher Pusher
}

// Pusher is push.Pusher, as far as the store knows it.
type Pusher interface {
	Reserve(ctx context.Context, persons []contact.PersonID, urgent bool) push.Reservation
	HandOver(ctx context.Context, r push.Reservation, claims []push.Claim)
	Wake()
}

// Store is the sync schema.
type Store struct {
	Config
	// What is paced among itself. Closed are accounts: the No of a resident does not wait for those that the same e-service closes.
	shares, noes, closed pace
}

// New returns a store on a migrated database.
func New(c Config) (*Store, error) {
	if c.Pool == nil || c.Source == "" || len(c.Pepper) == 0 || c.AuditKey.IsZero() {
		return nil, errors.New("syncpg: Pool, Source, Pepper and AuditKey are required")
	}
	if c.Lease == 0 {
		c.Lease = 10 * time.Second
	}
	if c.ParkedRetry == 0 {
		c.ParkedRetry = 15 * time.Minute
	}
	return &Store{Config: c, shares: pace{calm: calm}, noes: pace{calm: calmNoes}, closed: pace{calm: calmNoes}}, nil
}
