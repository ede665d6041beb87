package stream_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"contactsync/consent/kafkatest"
	"contactsync/consent/stream"
)

// TestMain sees that nothing is left running. On a busy machine a connection takes its time to end.
func TestMain(m *testing.M) {
	code := m.Run()
	err := goleak.Find()
	for deadline := time.Now().Add(patience); code == 0 && err != nil && time.Now().Before(deadline); {
		err = goleak.Find()
	}
	if code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const topic = "decisions"

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// onEach runs the test on both brokers, with one topic of three partitions.
func onEach(t *testing.T, test func(t *testing.T, c stream.Config)) {
	t.Helper()
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		kafkatest.Topics(t, c, stream.TopicSpec{Name: topic, Partitions: 3})
		test(t, c)
	})
}

func publish(t *testing.T, c stream.Config, messages ...stream.Message) {
	t.Helper()
	p, err := stream.NewPublisher(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Publish(t.Context(), messages...), p.Close()); err != nil {
		t.Fatal(err)
	}
}

// numbered makes messages whose values are numbers, over a hundred keys.
func numbered(from, to int) []stream.Message {
	var out []stream.Message
	for i := from; i < to; i++ {
		out = append(out, stream.Message{Topic: topic, Key: fmt.Append(nil, i%100), Value: fmt.Append(nil, i),
			Headers: []stream.Header{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "n", Value: []byte("again")}}})
	}
	return out
}

// collector is a handler that remembers. Its durable offsets are shared by all members, as a database would be.
type collector struct {
	mu           sync.Mutex
	fail         int // so many batches fail
	failWith     error
	records      []stream.Record
	batches      []stream.Batch
	lost         []stream.Loss
	ends         map[int]int64
	assigned     []stream.Assignment // of now
	generations  int
	failAssigned int // so many times taking over fails
	changed      chan struct{}
}

func newCollector() *collector { return &collector{changed: make(chan struct{}, 1)} }

func (c *collector) Assigned(_ context.Context, _ string, assigned []stream.Assignment, ends map[int]int64) ([]int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.tell()
	if c.failAssigned > 0 {
		c.failAssigned--
		return nil, errors.New("database away")
	}
	c.ends, c.assigned = ends, assigned
	c.generations++
	starts := make([]int64, len(assigned))
	for i, a := range assigned {
		starts[i] = a.LogStart
		if a.Committed >= 0 {
			starts[i] = a.Committed
		}
	}
	return starts, nil
}

func (c *collector) Handle(_ context.Context, b stream.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.tell()
	if c.fail > 0 {
		c.fail--
		return cmp.Or(c.failWith, errors.New("database away"))
	}
	c.records, c.batches = append(c.records, b.Records...), append(c.batches, b)
	return nil
}

func (c *collector) Lost(_ context.Context, l stream.Loss) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = append(c.lost, l)
	c.tell()
	return nil
}

func (c *collector) tell() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// until waits for the condition, which is asked under the lock.
func (c *collector) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		ok := is()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-c.changed:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func (c *collector) values() map[string]int {
	seen := map[string]int{}
	for _, r := range c.records {
		seen[string(r.Value)]++
	}
	return seen
}

// consume runs a member until stop is called, which waits for its end.
func consume(t *testing.T, c stream.Config, h stream.Handler) (stop func()) {
	t.Helper()
	return consumeLogging(t, c, h, slog.New(slog.DiscardHandler))
}

func consumeLogging(t *testing.T, c stream.Config, h stream.Handler, log *slog.Logger) (stop func()) {
	t.Helper()
	return consumeAs(t, member(c, log), h)
}

func consumeAs(t *testing.T, member stream.ConsumeConfig, h stream.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- stream.Consume(ctx, member, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func member(c stream.Config, log *slog.Logger) stream.ConsumeConfig {
	return stream.ConsumeConfig{Config: c, Group: "g", Topic: topic, MaxBatch: 50, Log: log, SessionTimeout: 6 * time.Second}
}

func TestEveryRecordIsHandledInOrder(t *testing.T) { onEach(t, everyRecordIsHandledInOrder) }

func everyRecordIsHandledInOrder(t *testing.T, c stream.Config) {
	publish(t, c, numbered(0, 1000)...)
	h := newCollector()
	consume(t, c, h)
	h.until(t, "1000 records", func() bool { return len(h.records) >= 1000 })
	last := map[string]int{}
	for _, r := range h.records {
		var n int
		_, _ = fmt.Sscan(string(r.Value), &n)
		if before, ok := last[string(r.Key)]; ok && before >= n {
			t.Fatalf("key %s: %d came after %d", r.Key, n, before)
		}
		last[string(r.Key)] = n
		want := []stream.Header{{Key: "n", Value: r.Value}, {Key: "n", Value: []byte("again")}}
		if !slices.EqualFunc(r.Headers, want, func(a, b stream.Header) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) }) {
			t.Fatalf("headers %q", r.Headers)
		}
	}
	next := map[int]int64{}
	for _, b := range h.batches {
		if len(b.Records) > 50 || b.Records[0].Offset != next[b.Partition] || b.HighWatermark < b.Next {
			t.Fatalf("batch of %d records at %d to %d of %d, after %d", len(b.Records), b.Records[0].Offset, b.Next, b.HighWatermark, next[b.Partition])
		}
		next[b.Partition] = b.Next
	}
}

func TestFailedBatchIsHandledAgain(t *testing.T) { onEach(t, failedBatchIsHandledAgain) }

func failedBatchIsHandledAgain(t *testing.T, c stream.Config) {
	publish(t, c, numbered(0, 10)...)
	h := newCollector()
	h.fail = 2
	consume(t, c, h)
	h.until(t, "all records", func() bool { return len(h.values()) == 10 })
}

// After what the database may have forgotten partitions are assigned anew, whether a batch shows it or nothing comes.
func TestForgottenIsAssignedAnew(t *testing.T) { onEach(t, forgottenIsAssignedAnew) }

func forgottenIsAssignedAnew(t *testing.T, c stream.Config) {
	publish(t, c, numbered(0, 10)...)
	h := newCollector()
	h.fail, h.failWith = 1, fmt.Errorf("a batch: %w", stream.ErrForgotten)
	config := member(c, slog.New(slog.DiscardHandler))
	var forgotten atomic.Bool
	held := make(chan map[int]int64, 1)
	config.Holds = func(_ context.Context, next map[int]int64) error {
		if forgotten.CompareAndSwap(true, false) {
			held <- next
			return stream.ErrForgotten
		}
		return nil
	}
	consumeAs(t, config, h)
	before := 0
	h.until(t, "all records, in a second generation", func() bool { before = h.generations; return len(h.values()) == 10 && before > 1 })
	forgotten.Store(true)
	h.until(t, "another generation", func() bool { return h.generations > before })
	if next := <-held; len(next) != 3 || next[0]+next[1]+next[2] != 10 {
		t.Errorf("asked whether %v is held", next)
	}
}

func TestRestartGoesOnWhereItStopped(t *testing.T) { onEach(t, restartGoesOnWhereItStopped) }

func restartGoesOnWhereItStopped(t *testing.T, c stream.Config) {
	publish(t, c, numbered(0, 300)...)
	first := newCollector()
	stop := consume(t, c, first)
	first.until(t, "300 records", func() bool { return len(first.records) == 300 })
	stop() // the final commit comes before the end

	publish(t, c, numbered(300, 310)...)
	second := newCollector()
	consume(t, c, second)
	second.until(t, "the new records", func() bool { return len(second.values()) >= 10 })
	for v, times := range second.values() {
		if len(v) != 3 || v < "300" || times != 1 {
			t.Errorf("record %s was handled %d times after the restart", v, times)
		}
	}
}

// Markers of transactions are passed, and their records marked: nobody can tell whether they were aborted.
func TestTransactionsAreMarked(t *testing.T) { onEach(t, transactionsAreMarked) }

func transactionsAreMarked(t *testing.T, c stream.Config) {
	k := kafkatest.Client(t, c, kgo.TransactionalID(c.Prefix+"tx"), kgo.DefaultProduceTopic(c.Prefix+topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := k.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := k.ProduceSync(t.Context(), kgo.StringRecord("tx")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := k.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	plain := kafkatest.Client(t, c, kgo.DefaultProduceTopic(c.Prefix+topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := plain.ProduceSync(t.Context(), kgo.StringRecord("plain")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	h := newCollector()
	consume(t, c, h)
	h.until(t, "the plain record", func() bool { return h.values()["plain"] == 1 })
	if got := h.values()["tx"]; got != 2 {
		t.Errorf("%d transactional records", got)
	}
	for _, r := range h.records {
		if r.Transactional != (string(r.Value) == "tx") {
			t.Errorf("record %s: transactional %t", r.Value, r.Transactional)
		}
	}
}

func TestPublishFailsWhenTheBrokerRejects(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errors.New("no"), true
	})
	p, err := stream.NewPublisher(stream.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Publish(t.Context(), numbered(0, 1)...); err == nil {
		t.Error("a rejected record counts as published")
	}
}

func TestConfigNeedsABroker(t *testing.T) {
	t.Parallel()
	if _, err := stream.NewPublisher(stream.Config{}); err == nil {
		t.Error("a publisher without a broker")
	}
	if err := stream.Consume(t.Context(), stream.ConsumeConfig{}, newCollector()); err == nil {
		t.Error("a consumer without a broker")
	}
}
