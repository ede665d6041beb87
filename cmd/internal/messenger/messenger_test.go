package messenger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/cmd/internal/messenger"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/kafkatest"
	"contactsync/consent/pgtest"
	"contactsync/consent/stream"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

type world struct {
	t     *testing.T
	kafka stream.Config
	pool  *pgxpool.Pool
	log   *slog.Logger
}

func newWorld(t *testing.T, c stream.Config) *world {
	return &world{t, c, pgtest.Migrated(t, "consent", consentpg.Migrate), slog.New(slog.DiscardHandler)}
}

func (w *world) messenger() *messenger.Messenger {
	w.t.Helper()
	store, err := consentpg.New(consentpg.Config{Pool: w.pool, Source: "urn:hsaid:SE2321000016-A1", Pepper: []byte("test"), AuditKey: audit.DevelopmentKey(),
		Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := messenger.New(messenger.Config{Kafka: w.kafka, Pool: w.pool, Store: store, Log: w.log, Told: func(contact.PersonID) {}})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// runs has a messenger work until stop is called, or the test ends.
func (w *world) runs(m *messenger.Messenger) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) sql(statement string) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), statement); err != nil {
		w.t.Fatal(err)
	}
}

// awaits waits until a count is as wanted.
func (w *world) awaits(what, query string, want int) {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	tooLate := time.After(time.Minute)
	for got := -1; got != want; {
		if err := w.pool.QueryRow(w.t.Context(), query).Scan(&got); err != nil {
			w.t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-tooLate:
			w.t.Fatalf("%s: %d, want %d", what, got, want)
		}
	}
}

const (
	outcomes = `select count(*) from consent.outcome`
	known    = `select count(*) from consent.partition where run <> 'another'`
)

// tells has the worker tell of the decisions from..to-1, each of another person.
func (w *world) tells(from, to int) {
	w.t.Helper()
	p, err := stream.NewPublisher(w.kafka)
	if err != nil {
		w.t.Fatal(err)
	}
	defer p.Close()
	for i := from; i < to; i++ {
		o := event.Outcome{ID: fmt.Sprint("told-", i), Source: "urn:hsaid:SE2321000016-A2", EventID: fmt.Sprint("event-", i),
			Person: event.AsSent(contact.RootPersonnummer, fmt.Sprint(197205179802+i)), Channel: contact.Mobile, Revision: int64(i + 1),
			Outcome: event.Pushed, Sequence: int64(i + 1), Time: time.Now()}
		headers, value := o.Binary()
		if err := p.Publish(w.t.Context(), stream.Message{Topic: event.TopicOutcomes, Key: fmt.Append(nil, i), Value: value, Headers: headers}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestWherePartitionsAreReadFrom(t *testing.T) {
	t.Parallel()
	for sentence, test := range map[string]struct {
		before   string // what happens after the partition was known last
		assigned stream.Assignment
		want     int64
	}{
		"at Kafka's offset":                                         {``, stream.Assignment{Committed: 20, LogStart: 5, HighWatermark: 30}, 20},
		"at the log's start, if it lies after that":                 {``, stream.Assignment{Committed: 2, LogStart: 5, HighWatermark: 30}, 5},
		"at the log's start, under another run":                     {`update consent.partition set run = 'another'`, stream.Assignment{Committed: 20, LogStart: 5, HighWatermark: 30}, 5},
		"at the log's start, if the database does not know it":      {`delete from consent.partition`, stream.Assignment{Committed: 20, LogStart: 5, HighWatermark: 30}, 5},
		"at the log's start, if Kafka has no offset":                {`delete from consent.partition`, stream.Assignment{Committed: -1, LogStart: 5, HighWatermark: 30}, 5},
		"at the start of another, shorter log, under another run":   {`update consent.partition set run = 'another'`, stream.Assignment{Committed: 20, HighWatermark: 10}, 0},
		"at Kafka's offset, under another run, if nothing is there": {`update consent.partition set run = 'another'`, stream.Assignment{Committed: 20, LogStart: 20, HighWatermark: 20}, 20},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stream.Config{Brokers: []string{"nowhere:1"}})
			m := w.messenger()
			w.assigned(m, stream.Assignment{Committed: -1})
			if test.before != `` {
				w.sql(test.before)
			}
			if start := w.assigned(m, test.assigned); start != test.want {
				t.Errorf("starts at %d, want %d", start, test.want)
			}
			if err := m.Holds(t.Context()); err != nil {
				t.Errorf("assigned anew at once: %v", err)
			}
		})
	}
}

func (w *world) assigned(m *messenger.Messenger, a stream.Assignment) int64 {
	w.t.Helper()
	starts, err := m.Assigned(w.t.Context(), event.TopicOutcomes, []stream.Assignment{a}, map[int]int64{0: a.HighWatermark})
	if err != nil {
		w.t.Fatal(err)
	}
	return starts[0]
}

// Kafka's offset lies after what is missing until the first commit. So a portal that dies before has left nothing that says that all is there.
func TestAnotherBeginsAnewWhatWasNotReadAgainToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stream.Config{Brokers: []string{"nowhere:1"}})
	a := stream.Assignment{Committed: 20, LogStart: 5, HighWatermark: 30}
	for _, step := range []struct{ reached, start int64 }{{0, 5}, {19, 5}, {20, 20}} {
		m := w.messenger()
		w.assigned(m, a)
		if err := m.Handle(t.Context(), stream.Batch{Topic: event.TopicOutcomes, From: 5, Next: step.reached}); err != nil {
			t.Fatal(err)
		}
		if start := w.assigned(w.messenger(), a); start != step.start {
			t.Errorf("read again up to %d: the next one starts at %d, want %d", step.reached, start, step.start)
		}
	}

	w.sql(`delete from consent.partition`)
	shorter := stream.Assignment{Committed: 20, HighWatermark: 10} // of another log: nothing lies beyond
	m := w.messenger()
	w.assigned(m, shorter)
	if err := m.Handle(t.Context(), stream.Batch{Topic: event.TopicOutcomes, Next: 10}); err != nil {
		t.Fatal(err)
	}
	if start := w.assigned(m, shorter); start != 20 {
		t.Errorf("another log was read to its end, and is read again from %d", start)
	}
	m.TakenOverUnder("another")
	if err := m.Holds(t.Context()); !errors.Is(err, stream.ErrForgotten) {
		t.Errorf("held under another run: %v", err)
	}
}

// forget is what a restored database looks like: it has neither the outcomes nor the runs.
const forget = `delete from consent.outcome; update consent.partition set run = 'another'`

func TestForgottenOutcomesAreFoldedAgain(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		w := newWorld(t, c)
		kafkatest.Topics(t, c, stream.Topics()...)
		w.tells(0, 20)
		stop := w.runs(w.messenger())
		w.awaits("outcomes", outcomes, 20)
		stop() // the final commit comes before the end

		w.sql(forget)
		log := &lines{}
		w.log = slog.New(slog.NewTextHandler(log, nil))
		m := w.messenger()
		w.runs(m)
		w.awaits("outcomes after a restart", outcomes, 20)
		w.awaits("partitions that are known again", known, 6)

		w.sql(forget)
		m.TakenOverUnder("another")
		w.awaits("outcomes under another run", outcomes, 20)
		w.awaits("partitions that are known under it", known, 6)
		w.tells(20, 21)
		w.awaits("outcomes that came after", outcomes, 21)
		if times := log.count("partitions assigned"); times != 2 {
			t.Errorf("partitions were assigned %d times, want 2", times)
		}
	})
}

// lines keeps what was logged.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(line)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.all.Bytes(), []byte(text))
}
