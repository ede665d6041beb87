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
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
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
	pace pace
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
	return &Store{Config: c}, nil
}

// Assigned implements intake.Store. A partition that nobody has read yet stands at the log's start. So does one that Kafka
// knows no committed offset of, or whose log is shorter than what we read: it may be another log, and must be read whole. Only if
// that start lies after what we read, as when both offsets and records were deleted in a long outage, the place where we were
// stays: to ask for what is gone is what raises the alarm.
func (s *Store) Assigned(ctx context.Context, topic string, assigned []stream.Assignment, ends map[int]int64) ([]int64, error) {
	next := make([]int64, len(assigned))
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		for _, number := range slices.Sorted(maps.Keys(ends)) {
			_, err := tx.Exec(ctx, `
				insert into sync.partition as p (topic, number, next_offset, gate_offset) values ($1, $2, 0, $3)
				on conflict (topic, number) do update set gate_offset = greatest(p.gate_offset, excluded.gate_offset)`, topic, number, ends[number])
			if err != nil {
				return err
			}
		}
		for i, a := range assigned {
			err := tx.QueryRow(ctx, `
				insert into sync.partition as p (topic, number, next_offset, gate_offset) values ($1, $2, $3, $4)
				on conflict (topic, number) do update set gate_offset = excluded.gate_offset,
					next_offset = case
						when p.next_offset > $4 or $5 and p.next_offset = 0 then $3
						when $5 then least(p.next_offset, $3)
						else p.next_offset end
				returning next_offset`,
				topic, a.Partition, a.LogStart, a.HighWatermark, a.Committed < 0).Scan(&next[i])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take over partitions: %w", err)
	}
	return next, nil
}

// Lost implements intake.Store: nobody waits any more for records that are gone.
func (s *Store) Lost(ctx context.Context, l stream.Loss) error {
	_, err := s.Pool.Exec(ctx, `update sync.partition set next_offset = $3, gate_offset = $4 where topic = $1 and number = $2`,
		l.Topic, l.Partition, l.To, l.HighWatermark)
	if err != nil {
		return fmt.Errorf("move past lost records: %w", err)
	}
	return nil
}

// queueAdvance moves partitions on and tells where they stood: records before that are durable, and told of. It never moves back.
// The rows stay locked until the end of the transaction, so that a worker that has lost a partition waits, and then sees that
// its records were taken.
func queueAdvance(batch *pgx.Batch, batches []intake.Batch, from []int64) {
	topics, numbers, nexts := make([]string, len(batches)), make([]int, len(batches)), make([]int64, len(batches))
	for i, b := range batches {
		topics[i], numbers[i], nexts[i] = b.Topic, b.Partition, b.Next
	}
	batch.Queue(`
		with before as (
			select p.topic, p.number, p.next_offset, x
			from (select t, m, max(x) as x from unnest($1::text[], $2::integer[], $3::bigint[]) as d (t, m, x) group by t, m) as d
				join sync.partition p on p.topic = t and p.number = m
			order by t collate "C", m for update of p)
		update sync.partition p set next_offset = greatest(p.next_offset, x) from before
		where p.topic = before.topic and p.number = before.number returning p.topic, p.number, before.next_offset`, topics, numbers, nexts).Query(func(rows pgx.Rows) error {
		type partition struct {
			topic  string
			number int
		}
		stood := map[partition]int64{}
		var p partition
		var offset int64
		_, err := pgx.ForEachRow(rows, []any{&p.topic, &p.number, &offset}, func() error { stood[p] = offset; return nil })
		if err != nil {
			return err
		}
		for i, b := range batches {
			p := partition{b.Topic, b.Partition}
			offset, known := stood[p]
			if !known {
				return fmt.Errorf("partition %d was never assigned", b.Partition)
			}
			from[i], stood[p] = offset, max(offset, b.Next)
		}
		return nil
	})
}
