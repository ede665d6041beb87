package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/outbox"
	"contactsync/consent/pgtest"
	"contactsync/consent/stream"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const schema = `
	create schema s;
	create table s.outbox (id bigint primary key, topic text not null, key text not null, headers text[] not null, value bytea not null)`

func database(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return pgtest.Migrated(t, "outbox", func(ctx context.Context, p *pgxpool.Pool) error {
		_, err := p.Exec(ctx, schema)
		return err
	})
}

func write(t *testing.T, pool *pgxpool.Pool, from, to int) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
		insert into s.outbox select i, 'topic', 'k' || i % 7, array['a', 'b', 'n', i::text], i::text::bytea from generate_series($1::int, $2) i`, from, to-1)
	if err == nil {
		_, err = pool.Exec(t.Context(), `select pg_notify('s_outbox', '')`)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// kafka remembers what was published. It can be away.
type kafka struct {
	mu      sync.Mutex
	away    bool
	dies    int // so many times the messages arrive, and the relay is not told
	values  []string
	last    stream.Message
	held    chan struct{} // nil, or what Publish waits for
	changed chan struct{}
}

func newKafka() *kafka { return &kafka{changed: make(chan struct{}, 1)} }

func (k *kafka) Publish(_ context.Context, messages ...stream.Message) error {
	if k.held != nil {
		<-k.held
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() {
		select {
		case k.changed <- struct{}{}:
		default:
		}
	}()
	if k.away {
		return errors.New("away")
	}
	for _, m := range messages {
		k.values, k.last = append(k.values, string(m.Value)), m
	}
	if k.dies > 0 {
		k.dies--
		return errors.New("connection lost")
	}
	return nil
}

func (k *kafka) isAway(away bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away = away
}

// until waits for something to be published.
func (k *kafka) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		k.mu.Lock()
		ok := is()
		k.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-k.changed:
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func relay(t *testing.T, pool *pgxpool.Pool, k *kafka) (stop func()) {
	t.Helper()
	return relayLogging(t, pool, k, slog.New(slog.DiscardHandler))
}

func relayLogging(t *testing.T, pool *pgxpool.Pool, k *kafka, log *slog.Logger) (stop func()) {
	t.Helper()
	_, stop = start(t, pool, k, log)
	return stop
}

func start(t *testing.T, pool *pgxpool.Pool, k *kafka, log *slog.Logger) (_ *outbox.Relay, stop func()) {
	t.Helper()
	r, err := outbox.New(outbox.Config{Pool: pool, Schema: "s", Publisher: k, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); wait.Wait() }
	t.Cleanup(stop)
	return r, stop
}

func wantInOrder(t *testing.T, values []string, n int) {
	t.Helper()
	if len(values) != n {
		t.Errorf("%d published, want %d", len(values), n)
	}
	for i, v := range values {
		if v != fmt.Sprint(i) {
			t.Fatalf("number %d is %s", i, v)
		}
	}
}

func TestRowsArePublishedInOrderAndGoAway(t *testing.T) {
	t.Parallel()
	pool, k := database(t), newKafka()
	write(t, pool, 0, 1200)
	relay(t, pool, k)
	k.until(t, "1200", func() bool { return len(k.values) >= 1200 })
	write(t, pool, 1200, 1210)
	k.until(t, "1210", func() bool { return len(k.values) >= 1210 })
	wantInOrder(t, k.values, 1210)
	m := k.last
	if m.Topic != "topic" || string(m.Key) != "k5" || len(m.Headers) != 2 || m.Headers[1].Key != "n" || string(m.Headers[1].Value) != "1209" {
		t.Errorf("message %+v", m)
	}
}

func TestRowsWaitWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	pool, k := database(t), newKafka()
	k.isAway(true)
	write(t, pool, 0, 10)
	relay(t, pool, k)
	k.until(t, "an attempt", func() bool { return true })
	<-k.changed
	k.isAway(false)
	k.until(t, "all", func() bool { return len(k.values) >= 10 })
	wantInOrder(t, k.values, 10)
}

// Twice a second it is tried; one line says so, and one that it is over.
func TestOutageIsToldOnce(t *testing.T) {
	t.Parallel()
	pool, k := database(t), newKafka()
	k.isAway(true)
	write(t, pool, 0, 10)
	var log bytes.Buffer
	stop := relayLogging(t, pool, k, slog.New(slog.NewTextHandler(&log, nil)))
	for range 4 {
		<-k.changed
	}
	k.isAway(false)
	k.until(t, "all", func() bool { return len(k.values) >= 10 })
	write(t, pool, 10, 11)
	k.until(t, "the next", func() bool { return len(k.values) >= 11 })
	stop()
	for _, text := range []string{"relay interrupted", "relaying again"} {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("%q stands there %d times: %s", text, n, &log)
		}
	}
}

func TestOneRelayIsActiveAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	pool, k := database(t), newKafka()
	write(t, pool, 0, 100)
	stops := []func(){relay(t, pool, k), relay(t, pool, k), relay(t, pool, k)}
	k.until(t, "100", func() bool { return len(k.values) >= 100 })
	for i, stop := range stops {
		last := fmt.Sprint(109 + 10*i)
		write(t, pool, 100+10*i, 110+10*i)
		k.until(t, "ten more", func() bool { return slices.Contains(k.values, last) })
		stop()
	}
	// One that was stopped between the acknowledgement and the deletion left rows to be published again.
	var first []string
	for _, v := range k.values {
		if !slices.Contains(first, v) {
			first = append(first, v)
		}
	}
	wantInOrder(t, first, 130)
}

// Found by looking twice a second alone, what is written here would take half a second to be published.
func TestWhoeverWakesARelayIsHeard(t *testing.T) {
	t.Parallel()
	pool, k := database(t), newKafka()
	quiet := slog.New(slog.DiscardHandler)
	write(t, pool, 0, 1)
	leads, _ := start(t, pool, k, quiet)
	k.until(t, "the first", func() bool { return len(k.values) == 1 })
	follows, _ := start(t, pool, k, quiet)
	wakes := []func(){leads.Wake, follows.Wake, func() {
		if err := outbox.Notify(t.Context(), pool, "s"); err != nil {
			t.Error(err)
		}
	}}
	const rounds = 13
	took := make([][]time.Duration, len(wakes))
	for i := 1; i <= rounds*len(wakes); i++ {
		began := time.Now()
		if _, err := pool.Exec(t.Context(), `insert into s.outbox values ($1, 'topic', 'k', '{}', '')`, i); err != nil {
			t.Fatal(err)
		}
		wakes[i%len(wakes)]()
		k.until(t, "the next", func() bool { return len(k.values) > i })
		took[i%len(wakes)] = append(took[i%len(wakes)], time.Since(began))
	}
	for i, each := range took {
		slices.Sort(each)
		if median := each[rounds/2]; median > 250*time.Millisecond {
			t.Errorf("way %d of waking takes %v", i, median)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := outbox.New(outbox.Config{}); err == nil {
		t.Error("no error")
	}
}

// A crash between the acknowledgement and the deletion publishes the rows again, none is lost, and the first copies are in order.
func TestRowsThatWereNotDeletedArePublishedAgain(t *testing.T) {
	t.Parallel()
	pool, k := database(t), newKafka()
	k.dies = 2
	write(t, pool, 0, 10)
	relay(t, pool, k)
	k.until(t, "three times ten", func() bool { return len(k.values) >= 30 })
	write(t, pool, 10, 11)
	k.until(t, "the next one", func() bool { return len(k.values) >= 31 })
	if k.values[30] != "10" {
		t.Errorf("after the repetition comes %s", k.values[30])
	}
	wantInOrder(t, k.values[:10], 10)
}

// looks tells of each time the relay looks for rows.
type looks chan time.Time

func (l looks) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "order by id limit") {
		l <- time.Now()
	}
	return ctx
}

func (looks) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Each decision at the portal notifies. A look for each notification, of which most find nothing, would cost more than the rest.
func TestManyNotificationsAreOneLook(t *testing.T) {
	t.Parallel()
	pool, k, looked := database(t), newKafka(), make(looks, 1000)
	k.held = make(chan struct{})
	config := pool.Config()
	config.ConnConfig.Tracer = looked
	watched, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Close()
	write(t, pool, 0, 1)
	defer relay(t, watched, k)()
	before := <-looked // the first row is about to be published
	const many = 50
	for i := 1; i <= many; i++ {
		write(t, pool, i, i+1)
	}
	close(k.held)
	k.until(t, "all published", func() bool { return len(k.values) == many+1 })
	n := 0
	for at := range looked { // until the relay has waited in vain
		if at.Sub(before) > 300*time.Millisecond && n > 1 {
			break
		}
		before = at
		n++
	}
	if n > many/5 {
		t.Errorf("the relay looked %d times for what %d notifications told", n, many)
	}
}

// silencer makes one connection go silent when a text is first sent on any.
type silencer struct {
	at   []byte
	once sync.Once
}

type silenced struct {
	net.Conn
	by     *silencer
	silent atomic.Bool
}

func (s *silencer) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, kind, address)
	return &silenced{Conn: conn, by: s}, err
}

func (c *silenced) Write(p []byte) (int, error) {
	if bytes.Contains(p, c.by.at) {
		c.by.once.Do(func() { c.silent.Store(true) })
	}
	return c.Conn.Write(p)
}

func (c *silenced) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if !c.silent.Load() || err != nil {
			return n, err
		}
	}
}

// What a connection swallows is the answer that says who leads: PostgreSQL believes that somebody does.
func TestAConnectionThatGoesSilentDoesNotEndTheRelay(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"idle_session_timeout", "pg_try_advisory_lock", "listen "} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			pool, k := database(t), newKafka()
			config := pool.Config()
			config.ConnConfig.DialFunc = (&silencer{at: []byte(at)}).dial
			through, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(through.Close)
			relay(t, through, k)
			write(t, pool, 0, 3)
			k.until(t, "what was written", func() bool { return len(k.values) > 0 })
		})
	}
}
