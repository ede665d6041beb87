package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/plan"
	"contactsync/sync/register"
)

var (
	crashSeed      = flag.Uint64("crash.seed", 1, "seed of the decisions, of their order and of when dev is killed")
	crashDecisions = flag.Int("crash.decisions", 4000, "how many decisions are drawn")
	crashKills     = flag.Int("crash.kills", 8, "how often dev is killed")
)

// TestNothingIsLostOrOvertakenUnderKill9 produces random decisions, shuffled and repeated, while the whole stack is killed
// again and again. In the end the register shows what the pure function (plan.State.Want) says, nobody else's entry has changed,
// and every decision has an outcome.
func TestNothingIsLostOrOvertakenUnderKill9(t *testing.T) {
	c := &crash{t: t, data: filepath.Join(t.TempDir(), "data")}
	c.dev = Start(t, "--data", c.data, "--persons", "198")
	persons := c.persons("generated", "staff_entries", "contact_persons") // the named ones hold what is not ours
	h := drawHistory(*crashSeed, *crashDecisions, persons)
	others := c.others(persons)

	c.produce(h)
	c.settle()
	c.judgeRegister(h)
	c.judgeOutcomes(h)
	if told := ends(t, c.dev.Endpoints.Kafka, event.TopicUnreadable)[0]; told < unreadable {
		t.Errorf("%d unreadable records are told of, want %d", told, unreadable)
	}
	if got := c.others(persons); len(got) != 2 || !reflect.DeepEqual(got, others) {
		t.Error("an entry that is not the resident's own has changed")
	}
	c.repeat(h)
	c.judgeLog(h)
}

type crash struct {
	t    *testing.T
	data string
	dev  *Dev
	log  strings.Builder // of the runs that were killed
}

// persons are the test persons in any of the states.
func (c *crash) persons(states ...string) []mockregister.TestPerson {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.data, devstack.PersonsFile))
	var all []mockregister.TestPerson
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p mockregister.TestPerson) bool { return !slices.Contains(states, p.State) })
}

// produce sends everything. Between two chunks the stack is killed, as often as asked for; half of the kills come when all is
// sent and the worker is at it.
func (c *crash) produce(h *history) {
	c.t.Helper()
	sent := h.sent()
	chunks := slices.Collect(slices.Chunk(sent, 50))
	kills := map[int]bool{}
	for len(kills) < *crashKills/2 {
		kills[h.random.IntN(len(chunks))] = true
	}
	publisher := c.publisher()
	for i, chunk := range chunks {
		if kills[i] {
			c.killAndRestart()
		}
		eventually(c.t, "publish", func() bool { return publisher.Publish(c.t.Context(), chunk...) == nil })
	}
	for range *crashKills - len(kills) {
		before := c.count(`select count(*) from sync.channel where settled <> ''`)
		eventually(c.t, "some progress", func() bool {
			return c.count(`select count(*) from sync.channel where settled <> ''`) > before || c.settled()
		})
		c.killAndRestart()
	}
}

func (c *crash) publisher() *stream.Publisher {
	c.t.Helper()
	p, err := stream.NewPublisher(stream.Config{Brokers: []string{c.dev.Endpoints.Kafka}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = p.Close() })
	return p
}

func (c *crash) killAndRestart() {
	c.t.Helper()
	c.dev.Kill9()
	c.log.WriteString(c.dev.Log())
	c.dev = Start(c.t, "--data", c.data, "--persons", "198")
}

// settle waits until Kafka is read, nobody is due and every outcome is published.
func (c *crash) settle() {
	c.t.Helper()
	eventually(c.t, "everything is pushed and told", c.settled)
}

func (c *crash) settled() bool {
	return c.unread() == 0 && c.count(`select (select count(*) from sync.due) + (select count(*) from sync.outbox)`) == 0
}

// unread counts what lies in Kafka behind the durable offsets.
func (c *crash) unread() int64 {
	c.t.Helper()
	var total int64
	for _, end := range ends(c.t, c.dev.Endpoints.Kafka, event.TopicDecisions) {
		total += end
	}
	return total - c.count(`select coalesce(sum(next_offset), 0) from sync.partition where topic = '`+event.TopicDecisions+`'`)
}

// ends gives the offset after the newest record of each partition.
func ends(t *testing.T, address, topic string) map[int32]int64 {
	t.Helper()
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for i := range topics(t, address)[topic] {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = int32(i), -1
		asked.Partitions = append(asked.Partitions, p)
	}
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(t.Context(), kafka(t, address))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int32]int64{}
	for _, p := range response.Topics[0].Partitions {
		out[p.Partition] = p.Offset
	}
	return out
}

func (c *crash) count(query string) int64 {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.dev.Endpoints.Postgres)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(c.t.Context()))
	var n int64
	if err := conn.QueryRow(c.t.Context(), query).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *crash) record(p contact.PersonID) *personv4.Record {
	c.t.Helper()
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: c.dev.Endpoints.Register, LogicalAddress: "SE165565594230-1000", HTTP: clientOf(c.t, c.data, "journal")}})
	if err != nil {
		c.t.Fatal(err)
	}
	rec, err := client.Get(c.t.Context(), personv4.ID{Root: p.Root(), Extension: p.RevealExtension()})
	if err != nil || rec == nil {
		c.t.Fatalf("no record: %v", err)
	}
	return rec
}

// others is everything in the records of the named persons but version, actor and the resident's own entries.
func (c *crash) others(persons []mockregister.TestPerson) []personv4.Record {
	c.t.Helper()
	var out []personv4.Record
	for _, p := range persons {
		if p.State == "generated" {
			continue
		}
		rec := *c.record(contact.KnownPersonID(p.Root, p.Extension))
		rec.Entries = slices.DeleteFunc(rec.Entries, func(e personv4.Entry) bool { _, own := channelOf(e); return own })
		rec.Version, rec.Actor = "", nil
		out = append(out, rec)
	}
	return out
}

func channelOf(e personv4.Entry) (contact.Channel, bool) {
	for channel, code := range register.DefaultCodes() {
		if e.Type == code.Type && e.Use != nil && *e.Use == code.Use {
			return channel, true
		}
	}
	return "", false
}

func (c *crash) judgeRegister(h *history) {
	c.t.Helper()
	wanted := h.wanted()
	wrong := 0
	for _, p := range h.persons {
		shown := map[contact.Channel][]string{}
		for _, e := range c.record(p).Entries {
			if channel, own := channelOf(e); own {
				shown[channel] = append(shown[channel], *e.Value)
			}
		}
		for _, channel := range contact.Channels {
			w := wanted[place{p, channel}]
			ok := w.Kind == plan.Unasked || w.Kind == plan.Withdrawn && len(shown[channel]) == 0 ||
				w.Kind == plan.Shared && slices.Equal(shown[channel], []string{w.Share.Value.Reveal()})
			if !ok {
				wrong++
			}
		}
	}
	if wrong > 0 {
		c.t.Errorf("seed %d: %d of %d channels are not as the pure function says", *crashSeed, wrong, 2*len(h.persons))
	}
}

// judgeOutcomes looks at the last outcome of each decision.
func (c *crash) judgeOutcomes(h *history) {
	c.t.Helper()
	last := c.outcomes()
	wanted := h.wanted()
	for _, d := range h.decisions {
		o, ok := last[d.id]
		want := []event.OutcomeKind{event.Pushed, event.Superseded, event.Unchanged, event.Parked} // pushed, and replaced later
		switch {
		case !ok:
			c.t.Errorf("seed %d: decision %s has no outcome", *crashSeed, d.id)
			continue
		case d.refused != "":
			want = []event.OutcomeKind{event.Parked}
			if o.Reason != d.refused {
				c.t.Errorf("decision %s is refused as %s, want %s", d.id, o.Reason, d.refused)
			}
		case wanted[d.key].EventID == d.id:
			want = []event.OutcomeKind{event.Pushed, event.Unchanged}
		}
		if !slices.Contains(want, o.Outcome) {
			c.t.Errorf("seed %d: the last outcome of decision %s is %s %s, want %v", *crashSeed, d.id, o.Outcome, o.Reason, want)
		}
	}
}

// outcomes reads the topic whole and keeps each decision's last.
func (c *crash) outcomes() map[string]event.Outcome {
	c.t.Helper()
	var left int64
	for _, end := range ends(c.t, c.dev.Endpoints.Kafka, event.TopicOutcomes) {
		left += end
	}
	reader := kafka(c.t, c.dev.Endpoints.Kafka, kgo.ConsumeTopics(event.TopicOutcomes), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	last := map[string]event.Outcome{}
	for left > 0 {
		for _, r := range reader.PollFetches(c.t.Context()).Records() {
			left--
			headers := make([]event.Header, len(r.Headers))
			for i, x := range r.Headers {
				headers[i] = event.Header(x)
			}
			o, err := event.ReadOutcome(headers, r.Value)
			if err != nil {
				c.t.Fatal(err)
			}
			if o.Sequence >= last[o.EventID].Sequence {
				last[o.EventID] = o
			}
		}
	}
	return last
}

// judgeLog looks for personal data in what was logged, and in the metrics.
func (c *crash) judgeLog(h *history) {
	c.t.Helper()
	_, metrics := get(c.t, http.DefaultClient, c.dev.Endpoints.Ops+"/metrics")
	said := c.log.String() + c.dev.Log() + metrics
	for _, p := range h.persons {
		if strings.Contains(said, p.RevealExtension()) {
			c.t.Fatal("an identity number in the log or the metrics")
		}
	}
	for _, d := range h.decisions {
		if s := d.event.Share; s != nil && strings.Contains(said, s.Value.Reveal()) {
			c.t.Fatal("a contact value in the log or the metrics")
		}
	}
	if !strings.Contains(said, "decision refused") || !strings.Contains(metrics, "contactsync_oldest_unapplied_seconds") {
		c.t.Error("refusals are not logged, or metrics are missing")
	}
}

// repeat produces everything twice more: nothing may be written to the register.
func (c *crash) repeat(h *history) {
	c.t.Helper()
	writes, versions := c.count(`select count(*) from sync.audit`), c.versions()
	publisher := c.publisher()
	for range 2 {
		for chunk := range slices.Chunk(h.sent(), 500) {
			if err := publisher.Publish(c.t.Context(), chunk...); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	c.settle()
	if after := c.count(`select count(*) from sync.audit`); after != writes {
		c.t.Errorf("%d pushes for decisions that were there already", after-writes)
	}
	if c.versions() != versions {
		c.t.Error("the register was written to")
	}
}

// versions sums up all record versions: it grows with each write.
func (c *crash) versions() int64 {
	c.t.Helper()
	return c.count(`select sum(version::bigint)::bigint from register.persons`)
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}
