package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/consent/kafkatest"
	"contactsync/consent/stream"
)

// Each record is handled once: whoever gives up partitions has committed what it did, before somebody else gets them.
func TestMembersComeAndGo(t *testing.T) { onEach(t, membersComeAndGo) }

func membersComeAndGo(t *testing.T, c stream.Config) {
	h := newCollector() // shared, as the database is
	publish(t, c, numbered(0, 500)...)
	stopFirst := consume(t, c, h)
	h.until(t, "some records", func() bool { return len(h.records) > 0 })
	consume(t, c, h)
	publish(t, c, numbered(500, 1000)...)
	h.until(t, "1000 records", func() bool { return len(h.values()) == 1000 })
	publish(t, c, numbered(1000, 1500)...)
	stopFirst()
	h.until(t, "1500 records", func() bool { return len(h.values()) == 1500 })
	for value, times := range h.values() {
		if times != 1 {
			t.Errorf("record %s was handled %d times", value, times)
		}
	}
	wantInOrder(t, h)
}

// A rolling restart: the partitions of a member that is told to stop are with the others within five seconds.
func TestPartitionsOfALeavingMemberAreTakenOverSoon(t *testing.T) {
	onEach(t, partitionsOfALeavingMemberAreTakenOverSoon)
}

func partitionsOfALeavingMemberAreTakenOverSoon(t *testing.T, c stream.Config) {
	first, second := newCollector(), newCollector()
	stopFirst := consume(t, c, first)
	first.until(t, "all partitions", func() bool { return len(first.assigned) == 3 })
	consume(t, c, second)
	// Two members share three partitions.
	first.until(t, "less partitions", func() bool { return len(first.assigned) < 3 })
	second.until(t, "some partitions", func() bool { return len(second.assigned) > 0 })
	began := time.Now()
	stopFirst()
	stopped := time.Since(began)
	second.until(t, "all partitions", func() bool { return len(second.assigned) == 3 })
	took := time.Since(began)
	t.Logf("stopped after %v, taken over after %v", stopped.Round(time.Millisecond), took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("taken over after %v", took)
	}
}

// A member whose database is away keeps its place: it does not make the others stop and join again.
func TestMemberWithoutDatabaseDoesNotDisturbTheOthers(t *testing.T) {
	onEach(t, memberWithoutDatabaseDoesNotDisturbTheOthers)
}

func memberWithoutDatabaseDoesNotDisturbTheOthers(t *testing.T, c stream.Config) {
	well, away := newCollector(), newCollector()
	consume(t, c, away) // the first member shares out the partitions: when it joins again, all must
	away.until(t, "all partitions", func() bool { return len(away.assigned) == 3 })
	away.mu.Lock()
	away.failAssigned = 3
	away.mu.Unlock()
	consume(t, c, well)
	well.until(t, "partitions", func() bool { return len(well.assigned) > 0 })
	away.until(t, "less partitions", func() bool { return len(away.assigned) < 3 })
	well.mu.Lock()
	defer well.mu.Unlock()
	if well.generations != 1 {
		t.Errorf("the other member had %d generations", well.generations)
	}
}

// A member whose own way to the database is gone leaves its partitions to others, and comes back when it is mended. If it were only
// its batches that failed, it would stay: they would fail elsewhere too.
func TestSickMemberLeavesItsPartitionsToOthers(t *testing.T) {
	onEach(t, sickMemberLeavesItsPartitionsToOthers)
}

func sickMemberLeavesItsPartitionsToOthers(t *testing.T, c stream.Config) {
	well, sick := newCollector(), newCollector()
	var mended atomic.Bool
	config := member(c, slog.New(slog.DiscardHandler))
	config.Healthy = func(context.Context) error {
		if mended.Load() {
			return nil
		}
		return errors.New("database away")
	}
	mended.Store(true)
	consumeAs(t, config, sick)
	sick.until(t, "all partitions", func() bool { return len(sick.assigned) == 3 })
	consume(t, c, well)
	well.until(t, "some partitions", func() bool { return len(well.assigned) > 0 })
	sick.mu.Lock()
	sick.fail, sick.failAssigned = 1<<30, 1<<30
	sick.mu.Unlock()
	mended.Store(false)
	publish(t, c, numbered(0, 300)...)
	well.until(t, "every record, also those of the sick member's partitions", func() bool { return len(well.values()) == 300 })
	sick.mu.Lock()
	sick.fail, sick.failAssigned = 0, 0
	sick.mu.Unlock()
	mended.Store(true)
	well.until(t, "less partitions", func() bool { return len(well.assigned) < 3 })
}

// Partitions that are added are read from their start, and their high watermark is one of now.
func TestAddedPartitionsAreTakenOver(t *testing.T) { onEach(t, addedPartitionsAreTakenOver) }

func addedPartitionsAreTakenOver(t *testing.T, c stream.Config) {
	h := newCollector()
	consume(t, c, h)
	h.until(t, "three partitions", func() bool { return len(h.assigned) == 3 })
	k := kafkatest.Client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100*time.Millisecond))
	request, one := kmsg.NewPtrCreatePartitionsRequest(), kmsg.NewCreatePartitionsRequestTopic()
	one.Topic, one.Count = c.Prefix+topic, 5
	request.Topics, request.TimeoutMillis = append(request.Topics, one), 10_000
	if response, err := request.RequestWith(t.Context(), k); err != nil || response.Topics[0].ErrorCode != 0 {
		t.Fatalf("add partitions: %v %+v", err, response)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n := range 10 {
		if err := k.ProduceSync(ctx, &kgo.Record{Topic: c.Prefix + topic, Partition: 4, Value: fmt.Append(nil, n)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	h.until(t, "ten records", func() bool { return len(h.records) == 10 })
	if h.ends[4] != 10 {
		t.Errorf("the new partition was taken over at %d", h.ends[4])
	}
}

// A member that is killed loses nothing: when its session is over, the other one handles what it had not committed.
func TestKilledMemberIsReplaced(t *testing.T) { onEach(t, killedMemberIsReplaced) }

func killedMemberIsReplaced(t *testing.T, c stream.Config) {
	handled, kill := startChild(t, c)
	h := newCollector()
	publish(t, c, numbered(0, 1000)...)
	seen := map[string]int{}
	for len(seen) < 300 {
		seen[<-handled]++
	}
	consume(t, c, h) // joins while the other one is at work
	h.until(t, "a share of the partitions", func() bool { return len(h.assigned) > 0 })
	publish(t, c, numbered(1000, 2000)...)
	kill()
	began := time.Now()
	for value := range handled { // what it had said before it died
		seen[value]++
	}
	missing := func() int {
		both := h.values()
		for value := range seen {
			both[value]++
		}
		return 2000 - len(both)
	}
	h.until(t, "all 2000 records", func() bool { return missing() == 0 && len(h.assigned) == 3 })
	t.Logf("taken over after %v", time.Since(began).Round(time.Millisecond))
	wantInOrder(t, h)
}

// childEnv makes TestChild a member: it holds a broker, a space and the prefix.
const childEnv = "CONTACTSYNC_TEST_MEMBER"

// startChild starts a member in a process of its own. The channel gets the values it has made durable, and is closed at its end.
func startChild(t *testing.T, c stream.Config) (handled <-chan string, kill func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context()) // its end kills
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$", "-test.timeout=2m")
	child.Env = append(os.Environ(), childEnv+"="+c.Brokers[0]+" "+c.Prefix)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	values := make(chan string, 10_000)
	go func() {
		defer close(values)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if value, ok := strings.CutPrefix(lines.Text(), "handled "); ok {
				values <- value
			}
		}
		_ = child.Wait()
	}()
	t.Cleanup(cancel)
	return values, cancel
}

// TestChild is no test: it is the process of a member that killedMemberIsReplaced kills.
func TestChild(t *testing.T) {
	broker, prefix, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		return
	}
	c := stream.Config{Brokers: []string{broker}, Prefix: prefix}
	if err := stream.Consume(t.Context(), member(c, slog.New(slog.DiscardHandler)), printer{newCollector()}); err != nil {
		t.Fatal(err)
	}
}

// printer is a collector that prints what it made durable.
type printer struct{ *collector }

func (p printer) Handle(_ context.Context, b stream.Batch) error {
	for _, r := range b.Records {
		fmt.Printf("handled %s\n", r.Value)
	}
	return nil
}
