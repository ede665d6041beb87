// Package outbox relays rows of a table to Kafka: what a transaction wrote beside its change is published, in order per
// person, at least once.
//
// One relay is active at a time, by a session lock in the database; others wait. A row is deleted only after Kafka has
// acknowledged it, so that a crash in between publishes it again: readers are idempotent. Start with Relay.Run.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/stream"
	"contactsync/consent/trouble"
)

// Publisher puts messages on Kafka, in order per key.
type Publisher interface {
	Publish(ctx context.Context, messages ...stream.Message) error
}

// Config of a relay; all fields but Linger are required.
type Config struct {
	Pool *pgxpool.Pool
	// Schema holds the table "outbox" (id, topic, key, headers, value). Ids must grow along each person's rows, drawn under a
	// lock that the person's transactions share.
	Schema    string
	Publisher Publisher
	Log       *slog.Logger
	// Linger is how long rows may gather after the first one has come: for each look at the table, and for whatever reads the messages
	// then, ten cost hardly more than one. 0: each goes at once.
	Linger time.Duration
}

// Relay publishes what lies in an outbox.
type Relay struct {
	Config
	trouble *trouble.Log
	wake    chan struct{}
}

// New returns a relay that is not running yet.
func New(c Config) (*Relay, error) {
	if c.Pool == nil || c.Schema == "" || c.Publisher == nil || c.Log == nil {
		return nil, errors.New("outbox: Pool, Schema, Publisher and Log are required")
	}
	return &Relay{c, trouble.New(c.Log), make(chan struct{}, 1)}, nil
}

// Wake makes whichever relay is active look for rows at once. Call it when the transaction that wrote them has ended; without it they are
// found within half a second.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Notify does what Wake does, for who has no relay.
//
// It is no part of the transaction that wrote the rows: PostgreSQL lets only one transaction at a time commit that has notified, in all of
// its databases, and the next one not before the first has reached the disk.
//
// An error says that it will be found half a second later.
func Notify(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	_, err := pool.Exec(ctx, `select pg_notify($1, '')`, schema+"_outbox")
	return err
}

const (
	batch = 500
	poll  = 500 * time.Millisecond // also how soon another relay takes over
	// leadTimeout bounds what goes before the first batch, and relayTimeout one batch: on a silent connection nothing else would.
	leadTimeout  = 5 * time.Second
	relayTimeout = 45 * time.Second
)

// Run relays until ctx ends, through outages of the database and of Kafka.
func (r *Relay) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.lead(ctx); err != nil && ctx.Err() == nil {
			r.trouble.Warn("relay", "relay interrupted", err, "schema", r.Schema)
		}
		r.follow(ctx)
	}
}

// follow waits until it is time to try to lead. Meanwhile it tells the one that leads of what is written here.
func (r *Relay) follow(ctx context.Context) {
	over := time.NewTimer(poll)
	defer over.Stop()
	for {
		select {
		case <-r.wake:
			asking, cancel := context.WithTimeout(ctx, poll)
			_ = Notify(asking, r.Pool, r.Schema) // then it is found half a second later
			cancel()
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// lead works for as long as this session holds the lock; it returns nil if another one has it.
func (r *Relay) lead(ctx context.Context) error {
	conn, err := r.session(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	leader, err := r.elect(ctx, conn)
	if err != nil || !leader {
		return err
	}
	for {
		n, err := r.relay(ctx, conn)
		if err != nil {
			return err
		}
		r.trouble.Over("relay", "relaying again", "schema", r.Schema)
		if n == batch {
			continue
		}
		if err := r.waitForRows(ctx, conn); err != nil {
			return err
		}
	}
}

// session is a connection of its own: a session lock and LISTEN must not go back into a pool.
func (r *Relay) session(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, leadTimeout)
	defer cancel()
	pooled, err := r.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return pooled.Hijack(), nil
}

// elect tells whether the session has the lock now. A leader whose machine has gone without a word must not keep it: it asks twice a second, so
// silence means that. That is set first: the answer that says who leads may be lost. Its deletions need not reach the disk before it goes on:
// rows that a crash brings back are published again, in their order, as after a crash before the deletion.
func (r *Relay) elect(ctx context.Context, conn *pgx.Conn) (leader bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leadTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, `set idle_session_timeout = '60s'; set synchronous_commit = off`); err != nil {
		return false, err
	}
	if err := conn.QueryRow(ctx, `select pg_try_advisory_lock(hashtext($1))`, "relay "+r.Schema).Scan(&leader); err != nil || !leader {
		return false, err
	}
	_, err = conn.Exec(ctx, "listen "+pgx.Identifier{r.Schema + "_outbox"}.Sanitize())
	return err == nil, err
}

// relay publishes the oldest rows and deletes them.
func (r *Relay) relay(ctx context.Context, conn *pgx.Conn) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	ids, messages, err := r.oldest(ctx, conn)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := r.Publisher.Publish(ctx, messages...); err != nil {
		return 0, err
	}
	if _, err := conn.Exec(ctx, `delete from `+r.table()+` where id = any ($1)`, ids); err != nil {
		return 0, fmt.Errorf("mark as published: %w", err)
	}
	return len(ids), nil
}

func (r *Relay) oldest(ctx context.Context, conn *pgx.Conn) (ids []int64, messages []stream.Message, err error) {
	rows, err := conn.Query(ctx, `select id, topic, key, headers, value from `+r.table()+` order by id limit $1`, batch)
	if err != nil {
		return nil, nil, fmt.Errorf("read outbox: %w", err)
	}
	var id int64
	var m stream.Message
	var key string
	var headers []string
	_, err = pgx.ForEachRow(rows, []any{&id, &m.Topic, &key, &headers, &m.Value}, func() error {
		m.Key, m.Headers = []byte(key), unflatten(headers)
		ids, messages = append(ids, id), append(messages, m)
		m, headers = stream.Message{}, nil
		return nil
	})
	return ids, messages, err
}

func (r *Relay) table() string { return pgx.Identifier{r.Schema, "outbox"}.Sanitize() }

func unflatten(headers []string) []stream.Header {
	var out []stream.Header
	for i := 0; i+1 < len(headers); i += 2 {
		out = append(out, stream.Header{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return out
}

// waitForRows returns when it is woken, at a notification, or at the next poll: a notification may be lost with a connection.
func (r *Relay) waitForRows(ctx context.Context, conn *pgx.Conn) error {
	wait, cancel := context.WithTimeout(ctx, poll)
	defer cancel()
	var watching sync.WaitGroup
	woken := false
	watching.Go(func() {
		defer cancel()
		select {
		case <-r.wake:
			woken = true
		case <-wait.Done():
		}
	})
	_, err := conn.WaitForNotification(wait)
	cancel()
	watching.Wait()
	if err != nil && (ctx.Err() != nil || wait.Err() == nil && !pgconn.Timeout(err) || conn.IsClosed()) {
		return err
	}
	if err == nil || woken {
		pause(ctx, r.Linger)
	}
	r.forgetMore(ctx, conn)
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// forgetMore drops what woke the relay beside the first time, or while the rows before were published: one look finds the rows of
// all of them. It must not be called after that look, since something may have come in its course.
func (r *Relay) forgetMore(ctx context.Context, conn *pgx.Conn) {
	select {
	case <-r.wake:
	default:
	}
	over, cancel := context.WithCancel(ctx)
	cancel() // so that nothing is waited for
	for {
		if _, err := conn.WaitForNotification(over); err != nil {
			return
		}
	}
}
