package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/cmd/internal/worker"
	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/kafkatest"
	"contactsync/consent/pgtest"
	"contactsync/consent/stream"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	address = "SE165565594230-1000"
	caller  = "SE2321000016-CSW1"
	source  = "urn:hsaid:SE2321000016-A1"
)

// world is Kafka, a database, a register behind mutual TLS, and persons in it.
type world struct {
	kafka   stream.Config
	pool    *pgxpool.Pool
	served  contracttest.Served
	asked   atomic.Int64     // calls by the path that the worker is told
	care    *personv4.Client // what a care system sees
	persons []contact.PersonID
}

func newWorld(t *testing.T, c stream.Config) *world {
	t.Helper()
	pool := pgtest.Migrated(t, "worker", func(ctx context.Context, p *pgxpool.Pool) error {
		return errors.Join(mockregister.Migrate(ctx, p), syncpg.Migrate(ctx, p))
	})
	mock, err := mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: address,
		Access: mockregister.MayAll(caller)})
	if err != nil {
		t.Fatal(err)
	}
	seeded, err := mock.Seed(t.Context(), 30)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{kafka: c, pool: pool}
	handler := mock.Handler()
	w.served = contracttest.Serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if operation, ok := strings.CutPrefix(r.URL.Path, "/vp/strategicresourcemanagement/persons/person/"); ok {
			w.asked.Add(1)
			r.URL.Path = "/rivta/" + operation
		}
		handler.ServeHTTP(rw, r)
	}))
	w.care = w.served.Client(t, caller, address, false)
	for _, p := range seeded {
		if p.State == mockregister.StateGenerated {
			w.persons = append(w.persons, contact.KnownPersonID(p.Root, p.Extension))
		}
	}
	kafkatest.Topics(t, c, stream.Topics()...)
	return w
}

// starts runs a worker; stop waits for its end.
func (w *world) starts(t *testing.T) (stop func()) {
	t.Helper()
	return w.startsWith(t, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func (w *world) startsWith(t *testing.T, log *slog.Logger, metrics *prometheus.Registry, change ...func(*worker.Config)) (stop func()) {
	t.Helper()
	certPEM, keyPEM, err := w.served.CA.Issue("worker", caller)
	if err != nil {
		t.Fatal(err)
	}
	config, err := w.served.CA.ClientTLS(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	settings := worker.Config{Kafka: w.kafka, Pool: w.pool, Pepper: []byte(event.DevelopmentPepper), AuditKey: audit.DevelopmentKey(), Source: "urn:hsaid:" + caller,
		RegisterURL: w.served.URL, RegisterPath: "/vp/{domain}/{operation}/{major}/rivtabp21", LogicalAddress: address, TLS: config, Codes: register.DefaultCodes(), Now: time.Now,
		Log: log, Metrics: metrics}
	for _, c := range change {
		c(&settings)
	}
	one, err := worker.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- one.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func decision(p contact.PersonID, revision int64, share bool) event.Decision {
	d := event.Decision{EventID: uuid.NewString(), Source: source, Time: time.UnixMicro(revision), Person: p, Channel: contact.Mobile,
		Share: share, Revision: revision, DecidedAt: time.UnixMicro(revision)}
	if share {
		d.Value = contact.KnownValue("+46701740605")
	}
	return d
}

func (w *world) publish(t *testing.T, decisions ...event.Decision) {
	t.Helper()
	var messages []stream.Message
	for _, d := range decisions {
		headers, value := d.Binary()
		messages = append(messages, stream.Message{Topic: event.TopicDecisions, Key: []byte(event.Key([]byte(event.DevelopmentPepper), d.Person)), Headers: headers, Value: value})
	}
	p, err := stream.NewPublisher(w.kafka)
	if err != nil {
		t.Fatal(err)
	}
	// A fresh topic of Apache Kafka may have no leader yet; what is sent twice changes nothing.
	deadline := time.Now().Add(10 * time.Second)
	err = p.Publish(t.Context(), messages...)
	for err != nil && time.Now().Before(deadline) {
		err = p.Publish(t.Context(), messages...)
	}
	if err := errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
}

// outcomes reads until each of the decisions has an outcome, and keeps the last one of each event.
func (w *world) outcomes(t *testing.T, k *kgo.Client, seen map[string]event.Outcome, decisions ...event.Decision) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	missing := func() (n int) {
		for _, d := range decisions {
			if _, ok := seen[d.EventID]; !ok {
				n++
			}
		}
		return n
	}
	for missing() > 0 {
		fetched := k.PollFetches(ctx)
		if err := fetched.Err0(); err != nil {
			t.Fatalf("%d outcomes are missing: %v", missing(), err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			var headers []event.Header
			for _, h := range r.Headers {
				headers = append(headers, event.Header{Key: h.Key, Value: h.Value})
			}
			o, err := event.ReadOutcome(headers, r.Value)
			if err != nil {
				t.Error(err)
			}
			if o.Sequence > seen[o.EventID].Sequence {
				seen[o.EventID] = o
			}
		})
	}
}

// shared counts the persons of whom a care system sees the number.
func (w *world) shared(t *testing.T) int {
	t.Helper()
	n := 0
	for _, p := range w.persons {
		record, err := w.care.Get(t.Context(), personv4.ID{Root: p.Root(), Extension: p.RevealExtension()})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range record.Entries {
			if e.Value != nil && *e.Value == "+46701740605" {
				n++
			}
		}
	}
	return n
}

// Decisions that lie on Kafka reach the register, their outcomes come back, and a worker that starts later goes on.
func TestDecisionsBecomeOutcomes(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		w := newWorld(t, c)
		var shares, withdrawals []event.Decision
		now := time.Now().UnixMicro()
		for i, p := range w.persons {
			shares = append(shares, decision(p, now, true))
			if i%3 == 0 {
				withdrawals = append(withdrawals, decision(p, now+1, false))
			}
		}
		k := kafkatest.Client(t, c, kgo.ConsumeTopics(c.Prefix+event.TopicOutcomes))
		seen := map[string]event.Outcome{}

		w.publish(t, shares...)
		stop := w.starts(t)
		w.outcomes(t, k, seen, shares...)
		if got := w.shared(t); got != len(shares) {
			t.Errorf("%d of %d shares are in the register", got, len(shares))
		}
		stop()
		w.publish(t, withdrawals...)
		w.starts(t)
		w.outcomes(t, k, seen, withdrawals...)
		if calls, least := w.asked.Load(), int64(len(shares)+len(withdrawals)); calls < least {
			t.Errorf("%d calls by the path that the worker was told, want at least %d", calls, least)
		}
		if got := w.shared(t); got != len(shares)-len(withdrawals) {
			t.Errorf("%d numbers are left in the register, of %d shares and %d withdrawals", got, len(shares), len(withdrawals))
		}
		ends := map[string]int{}
		for _, d := range append(shares, withdrawals...) {
			ends[fmt.Sprintf("share %t %s", d.Share, seen[d.EventID].Outcome)]++
		}
		want := map[string]int{"share true pushed": 30, "share false pushed": 10}
		if diff := cmp.Diff(want, ends); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	})
}

// By contactsv1, from e-services whose clocks are half an hour ahead, to a register that is far away.
func TestWorkerIsAsItIsTold(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		w := newWorld(t, c)
		ahead := time.Now().Add(30 * time.Minute).UnixMicro()
		share, withdrawal := decision(w.persons[0], ahead, true), decision(w.persons[1], ahead, false)
		k := kafkatest.Client(t, w.kafka, kgo.ConsumeTopics(w.kafka.Prefix+event.TopicOutcomes))
		w.publish(t, share, withdrawal)
		began, seen := time.Now(), map[string]event.Outcome{}
		const latency = 300 * time.Millisecond
		w.startsWith(t, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), func(w *worker.Config) {
			w.Bulk, w.ShareAhead, w.RegisterLatency = true, time.Hour, latency
		})
		w.outcomes(t, k, seen, share, withdrawal)
		if took := time.Since(began); took < latency {
			t.Errorf("the call took %v", took)
		}
		if got := seen[share.EventID]; got.Outcome != event.Pushed {
			t.Errorf("a share half an hour ahead is %s %s", got.Outcome, got.Reason)
		}
		var calls int
		if err := w.pool.QueryRow(t.Context(), `select count(*) from register.access_log where contract like 'contactsv1.change/%'`).Scan(&calls); err != nil || calls != 2 {
			t.Errorf("%d changes by contactsv1, %v", calls, err)
		}
	})
}

// Who cannot be told of an event is not forgotten: where it lies stands in a topic of its own.
func TestUnreadableRecordIsTold(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		w := newWorld(t, c)
		k := kafkatest.Client(t, c, kgo.ConsumeTopics(c.Prefix+event.TopicUnreadable))
		if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: c.Prefix + event.TopicDecisions, Value: []byte("no event")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		w.starts(t)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		fetched := k.PollFetches(ctx)
		if err := fetched.Err0(); err != nil || fetched.NumRecords() != 1 {
			t.Fatalf("%d records, %v", fetched.NumRecords(), err)
		}
	})
}

// What retention has deleted before it was read raises the alarm, with its number, and what is left is carried on.
func TestDeletedRecordsRaiseTheAlarm(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		w := newWorld(t, c)
		k := kafkatest.Client(t, c, kgo.ConsumeTopics(c.Prefix+event.TopicOutcomes))
		seen := map[string]event.Outcome{}
		person, now := w.persons[0], time.Now().UnixMicro()
		first, last := decision(person, now, true), decision(person, now+9, true) // one person: all in one partition
		w.publish(t, first)
		var gone []event.Decision
		for i := range 7 {
			gone = append(gone, decision(person, now+1+int64(i), true))
		}
		stop := w.starts(t)
		w.outcomes(t, k, seen, first)
		stop()
		w.publish(t, append(gone, last)...)
		w.deleteBefore(t, 8)
		var log bytes.Buffer
		metrics := prometheus.NewRegistry()
		stop = w.startsWith(t, slog.New(slog.NewTextHandler(&log, nil)), metrics)
		w.outcomes(t, k, seen, last)
		stop()
		if n := strings.Count(log.String(), "records were deleted before they were read"); n != 1 || !strings.Contains(log.String(), "from=1 to=8") {
			t.Errorf("the alarm stands there %d times: %s", n, &log)
		}
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if lost := f.GetMetric()[0].GetCounter().GetValue(); f.GetName() == "contactsync_lost_records_total" && lost != 7 {
				t.Errorf("%v records are counted as lost", lost)
			}
		}
	})
}

// A removal after which the detail stands there again raises the alarm, without saying whose detail, and is proved when the second one holds.
func TestAnUndoneRemovalRaisesTheAlarm(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		w := newWorld(t, c)
		k := kafkatest.Client(t, c, kgo.ConsumeTopics(c.Prefix+event.TopicOutcomes))
		seen := map[string]event.Outcome{}
		person, now := w.persons[0], time.Now().UnixMicro()
		yes, no := decision(person, now, true), decision(person, now+1, false)
		var log bytes.Buffer
		metrics := prometheus.NewRegistry()
		stop := w.startsWith(t, slog.New(slog.NewTextHandler(&log, nil)), metrics)
		w.publish(t, yes)
		w.outcomes(t, k, seen, yes)
		w.undoesNext(t)
		w.publish(t, no)
		for seen[no.EventID].ProvedAt == nil {
			delete(seen, no.EventID)
			w.outcomes(t, k, seen, no)
		}
		stop()
		said := log.String()
		if n := strings.Count(said, "level=ERROR msg=\"a withdrawn detail stands in the register"); n != 1 || !strings.Contains(said, "channel=mobile") {
			t.Errorf("the alarm stands there %d times: %s", n, said)
		}
		if strings.Contains(said, person.RevealExtension()) || strings.Contains(said, yes.Value.Reveal()) {
			t.Errorf("the log tells whose detail it is: %s", said)
		}
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			one := f.GetMetric()[0]
			got[f.GetName()] = max(one.GetCounter().GetValue(), float64(one.GetHistogram().GetSampleCount()))
		}
		if undone, proved := got["contactsync_removals_undone_total"], got["contactsync_removal_proved_seconds"]; undone != 1 || proved != 1 {
			t.Errorf("%v removals are counted as undone, %v as proved", undone, proved)
		}
		if n := w.shared(t); n != 0 {
			t.Errorf("%d numbers are in the register", n)
		}
	})
}

// undoesNext lets the register take the next update, and show what stood there before.
func (w *world) undoesNext(t *testing.T) {
	t.Helper()
	_, err := w.pool.Exec(t.Context(), `
		create sequence register.undone;
		create function register.undo() returns trigger language plpgsql as $$ begin
			if nextval('register.undone') = 1 then
				new.content := old.content; new.mobile := old.mobile; new.email := old.email;
			end if;
			return new; end $$;
		create trigger undo before update on register.persons for each row execute function register.undo()`)
	if err != nil {
		t.Fatal(err)
	}
}

// deleteBefore deletes the records before the offset from the partition that has as many.
func (w *world) deleteBefore(t *testing.T, offset int64) {
	t.Helper()
	k := kafkatest.Client(t, w.kafka)
	for partition := range int32(6) {
		request, topic, one := kmsg.NewPtrDeleteRecordsRequest(), kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
		request.TimeoutMillis = 10_000
		topic.Topic, one.Partition, one.Offset = w.kafka.Prefix+event.TopicDecisions, partition, offset
		topic.Partitions = append(topic.Partitions, one)
		request.Topics = append(request.Topics, topic)
		if response, err := request.RequestWith(t.Context(), k); err == nil && response.Topics[0].Partitions[0].ErrorCode == 0 {
			return
		}
	}
	t.Fatalf("no partition has %d records", offset)
}
