package stream_test

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/consent/kafkatest"
	"contactsync/consent/stream"
)

// journal keeps what is logged.
type journal struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{}
}

func newJournal() *journal { return &journal{changed: make(chan struct{}, 1)} }

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// Write implements io.Writer; slog hands over a line at a time.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	select {
	case j.changed <- struct{}{}:
	default:
	}
	return len(line), nil
}

func (j *journal) count(text string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// until waits for a line that contains the text.
func (j *journal) until(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for j.count(text) == 0 {
		select {
		case <-j.changed:
		case <-deadline:
			t.Fatalf("no line with %q within %v: %q", text, patience, j.lines)
		}
	}
}

// quiet fails if any warning stands there more than once within a minute, after which it may be told again.
func (j *journal) quiet(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	seen := map[string]time.Time{}
	for _, line := range j.lines {
		stamp, text, ok := strings.Cut(line, " level=WARN ")
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339, strings.TrimPrefix(stamp, "time="))
		if err != nil {
			t.Fatal(err)
		}
		if before, again := seen[text]; again && at.Sub(before) < time.Minute {
			t.Errorf("logged again: %s", text)
		}
		seen[text] = at
	}
}

func TestBrokerThatIsMissingAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, j, h := stream.Config{Brokers: []string{l.Addr().String()}}, newJournal(), newCollector()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	consumeLogging(t, c, h, j.log())
	j.until(t, "consumer group not joined")
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(l.Addr().(*net.TCPAddr).Port), kfake.SeedTopics(3, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	publish(t, c, numbered(0, 10)...)
	h.until(t, "ten records", func() bool { return len(h.records) == 10 })
	j.until(t, "consuming again")
	j.quiet(t)
}

func TestTopicThatIsMissingIsWaitedFor(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		j, h := newJournal(), newCollector()
		consumeLogging(t, c, h, j.log())
		j.until(t, "Unknown Topic Or Partition")
		if j.count("topic "+c.Prefix+topic) == 0 {
			t.Errorf("the topic is not named: %q", j.lines)
		}
		kafkatest.Topics(t, c, stream.TopicSpec{Name: topic, Partitions: 3})
		publish(t, c, numbered(0, 10)...)
		h.until(t, "ten records", func() bool { return len(h.records) == 10 })
		j.until(t, "consuming again")
		j.quiet(t)
	})
}

// While the topic is missing the group is joined once a second, not as often as the machine can.
func TestMissingTopicIsNoStorm(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	joins := make(chan time.Time, 100)
	cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		select {
		case joins <- time.Now():
		default:
		}
		return nil, nil, false
	})
	consume(t, stream.Config{Brokers: cluster.ListenAddrs()}, newCollector())
	var at []time.Time
	for len(at) < 5 {
		select {
		case one := <-joins:
			at = append(at, one)
		case <-time.After(patience):
			t.Fatalf("joined at %v, and then no more", at)
		}
	}
	if took := at[4].Sub(at[0]); took < 2500*time.Millisecond { // kafka-go is one join ahead
		t.Errorf("five joins within %v", took)
	}
}

// A topic that is made after the group has shared out its partitions, and before kafka-go looks out for new ones.
func TestTopicMadeAtTheWrongMomentIsFound(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	makeIt := sync.OnceFunc(func() {
		if err := cluster.CreateTopic(topic, 3, nil); err != nil {
			t.Error(err)
		}
	})
	cluster.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(makeIt)
		return nil, nil, false
	})
	j, h := newJournal(), newCollector()
	consumeLogging(t, stream.Config{Brokers: cluster.ListenAddrs()}, h, j.log())
	h.until(t, "three partitions", func() bool { return len(h.assigned) == 3 })
	if j.count("partitions without an owner") != 1 {
		t.Errorf("logged %q", j.lines)
	}
}

// A login that is refused is named in the log, and does not end the consumer.
func TestRefusedLoginIsTold(t *testing.T) {
	t.Parallel()
	for _, m := range mechanisms() {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			c, j := guarded(t, m), newJournal()
			c.Login.Password = "wrong"
			stop := consumeLogging(t, c, newCollector(), j.log())
			j.until(t, stream.ErrLogin.Error())
			stop()
			j.quiet(t)
		})
	}
}

// A broker that goes away and comes back, with what it had: nothing is missing, and the log tells both.
func TestBrokerGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	kafkatest.EachOwn(t, "", func(t *testing.T, b kafkatest.Broker) {
		j, h := newJournal(), newCollector()
		kafkatest.Topics(t, b.Config, stream.TopicSpec{Name: topic, Partitions: 3})
		publish(t, b.Config, numbered(0, 300)...)
		consumeLogging(t, b.Config, h, j.log())
		h.until(t, "300 records", func() bool { return len(h.values()) == 300 })
		b.Kill()
		j.until(t, "level=WARN")
		b.Start()
		kafkatest.AwaitTopic(t, b.Config, topic)
		back := time.Now()
		publish(t, b.Config, numbered(300, 600)...)
		h.until(t, "600 records", func() bool { return len(h.values()) == 600 })
		t.Logf("consuming %v after the broker was back", time.Since(back).Round(time.Millisecond))
		j.until(t, "consuming again")
		j.quiet(t)
	})
}

// The same while records are published and handled, some of them at the moment of the kill.
func TestBrokerIsKilledMidStream(t *testing.T) {
	t.Parallel()
	kafkatest.EachOwn(t, "", func(t *testing.T, b kafkatest.Broker) {
		h := newCollector()
		kafkatest.Topics(t, b.Config, stream.TopicSpec{Name: topic, Partitions: 3})
		consume(t, b.Config, h)
		p, err := stream.NewPublisher(b.Config)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		acknowledged := make(chan int)
		go func() { // as the relay does: again and again, until it is told that they lie there
			defer close(acknowledged)
			for n := 0; n < 3000 && t.Context().Err() == nil; {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				if p.Publish(ctx, numbered(n, n+100)...) == nil {
					n += 100
					acknowledged <- n
				}
				cancel()
			}
		}()
		for n := range acknowledged {
			if n == 1000 {
				b.Kill()
				b.Start()
			}
		}
		h.until(t, "3000 records", func() bool { return len(h.values()) == 3000 })
		wantInOrder(t, h)
	})
}

// wantInOrder checks that the first copies of a key's records came in order.
func wantInOrder(t *testing.T, h *collector) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	seen, last := map[string]bool{}, map[string]int{}
	for _, r := range h.records {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(r.Value)] {
			continue
		}
		seen[string(r.Value)] = true
		if before, ok := last[string(r.Key)]; ok && before > n {
			t.Fatalf("key %s: %d came after %d", r.Key, n, before)
		}
		last[string(r.Key)] = n
	}
}
