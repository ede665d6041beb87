package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

// scene is a stack that runs, and what is judged there: the register, the outcomes and the audit against the pure function.
type scene struct {
	t   *testing.T
	dir string             // holds tls/ and persons.json
	at  devstack.Endpoints // of what runs now
	on  string             // what the names of topics begin with
	log func() string      // what all parts have said so far

	care   *personv4.Client // nil until it is needed
	careAt string           // its register
}

// persons are the test persons in any of the states.
func (s *scene) persons(states ...string) []mockregister.TestPerson {
	s.t.Helper()
	var all []mockregister.TestPerson
	if err := json.Unmarshal([]byte(read(s.t, s.dir, devstack.PersonsFile)), &all); err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p mockregister.TestPerson) bool { return !slices.Contains(states, p.State) })
}

func (s *scene) publisher() *stream.Publisher {
	s.t.Helper()
	p, err := stream.NewPublisher(stream.Config{Brokers: []string{s.at.Kafka}, Prefix: s.on})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.Close() })
	return p
}

// settle waits until Kafka is read, nobody is due and every outcome is published.
func (s *scene) settle() {
	s.t.Helper()
	eventually(s.t, "everything is pushed and told", s.settled)
}

func (s *scene) settled() bool {
	return s.unread() == 0 && s.count(`select (select count(*) from sync.due) + (select count(*) from sync.proof) + (select count(*) from sync.outbox)`) == 0
}

// left tells what is not done yet.
func (s *scene) left() string {
	told := fmt.Sprintf("not read %d", s.unread())
	for _, what := range []struct{ name, rows string }{
		{"due", "sync.due"}, {"to ask about", "sync.ask"}, {"to prove", "sync.proof"}, {"outcomes not published", "sync.outbox"},
		{"choices not published", "consent.outbox"},
		{"choices not told of", "consent.decision d where not exists (select from consent.outcome o where o.event_id = d.event_id)"},
	} {
		told += fmt.Sprintf(", %s %d", what.name, s.count("select count(*) from "+what.rows))
	}
	return told
}

// unread counts what lies in Kafka behind the durable offsets.
func (s *scene) unread() int64 {
	s.t.Helper()
	var total int64
	for _, end := range ends(s.t, s.at.Kafka, s.on+event.TopicDecisions) {
		total += end
	}
	return total - s.count(`select coalesce(sum(next_offset), 0) from sync.partition where topic = '`+event.TopicDecisions+`'`)
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
	client := kafka(t, address)
	var response *kmsg.ListOffsetsResponse
	eventually(t, "leaders tell how far partitions reach", func() bool { // a broker that has just been started may not know yet
		var err error
		response, err = request.RequestWith(t.Context(), client)
		return err == nil && len(response.Topics) == 1 && !slices.ContainsFunc(response.Topics[0].Partitions,
			func(p kmsg.ListOffsetsResponseTopicPartition) bool { return p.ErrorCode != 0 })
	})
	out := map[int32]int64{}
	for _, p := range response.Topics[0].Partitions {
		out[p.Partition] = p.Offset
	}
	return out
}

func (s *scene) count(query string) int64 {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.at.Postgres)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.t.Context()))
	var n int64
	if err := conn.QueryRow(s.t.Context(), query).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// texts reads one column as a set.
func (s *scene) texts(query string) map[string]bool {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.at.Postgres)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.t.Context()))
	rows, err := conn.Query(s.t.Context(), query)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	set := map[string]bool{}
	for _, text := range all {
		set[text] = true
	}
	return set
}

// journal is a care system's client. A stack that was started anew is at another address.
func (s *scene) journal() *personv4.Client {
	s.t.Helper()
	if s.care == nil || s.careAt != s.at.Register {
		client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
			BaseURL: s.at.Register, LogicalAddress: "SE165565594230-1000", HTTP: clientOf(s.t, s.dir, "journal")}})
		if err != nil {
			s.t.Fatal(err)
		}
		s.care, s.careAt = client, s.at.Register
	}
	return s.care
}

func (s *scene) record(p contact.PersonID) *personv4.Record {
	s.t.Helper()
	client := s.journal()
	rec, err := client.Get(s.t.Context(), personv4.ID{Root: p.Root(), Extension: p.RevealExtension()})
	if err != nil || rec == nil {
		s.t.Fatalf("no record: %v", err)
	}
	return rec
}

// others is everything in the records of the named persons but version, actor and the resident's own entries.
func (s *scene) others(persons []mockregister.TestPerson) []personv4.Record {
	s.t.Helper()
	var out []personv4.Record
	for _, p := range persons {
		if p.State == "generated" {
			continue
		}
		rec := *s.record(contact.KnownPersonID(p.Root, p.Extension))
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

func (s *scene) judgeRegister(h *history) {
	s.t.Helper()
	wanted := h.wanted()
	wrong := 0
	for _, p := range h.persons {
		shown := map[contact.Channel][]string{}
		for _, e := range s.record(p).Entries {
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
		s.t.Errorf("%d of %d channels are not as the pure function says", wrong, 2*len(h.persons))
	}
}

// judgeOutcomes looks at the last outcome of each decision.
func (s *scene) judgeOutcomes(h *history) {
	s.t.Helper()
	last := s.outcomes()
	wanted := h.wanted()
	for _, d := range h.decisions {
		o, ok := last[d.id]
		want := []event.OutcomeKind{event.Pushed, event.Superseded, event.Unchanged, event.Parked} // pushed, and replaced later
		switch {
		case !ok:
			s.t.Errorf("decision %s has no outcome", d.id)
			continue
		case d.refused != "":
			want = []event.OutcomeKind{event.Parked}
			if o.Reason != d.refused {
				s.t.Errorf("decision %s is refused as %s, want %s", d.id, o.Reason, d.refused)
			}
		case wanted[d.key].EventID == d.id:
			want = []event.OutcomeKind{event.Pushed, event.Unchanged}
			if wanted[d.key].Kind == plan.Withdrawn && o.ProvedAt == nil {
				s.t.Errorf("the removal of decision %s was never proved", d.id)
			}
		}
		if !slices.Contains(want, o.Outcome) {
			s.t.Errorf("the last outcome of decision %s is %s %s, want %v", d.id, o.Outcome, o.Reason, want)
		}
	}
}

// outcomes reads the topic whole and keeps each decision's last, with the proof if it was ever proved.
func (s *scene) outcomes() map[string]event.Outcome {
	s.t.Helper()
	var left int64
	for _, end := range ends(s.t, s.at.Kafka, s.on+event.TopicOutcomes) {
		left += end
	}
	reader := kafka(s.t, s.at.Kafka, kgo.ConsumeTopics(s.on+event.TopicOutcomes), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	last := map[string]event.Outcome{}
	for left > 0 {
		for _, r := range reader.PollFetches(s.t.Context()).Records() {
			left--
			headers := make([]event.Header, len(r.Headers))
			for i, x := range r.Headers {
				headers[i] = event.Header(x)
			}
			o, err := event.ReadOutcome(headers, r.Value)
			if err != nil {
				s.t.Fatal(err)
			}
			before := last[o.EventID]
			if o.ProvedAt == nil {
				o.ProvedAt = before.ProvedAt
			}
			if o.Sequence >= before.Sequence {
				last[o.EventID] = o
			} else if before.ProvedAt == nil {
				before.ProvedAt = o.ProvedAt
				last[o.EventID] = before
			}
		}
	}
	return last
}

// judgeLog looks for personal data in what was logged, and in the metrics.
func (s *scene) judgeLog(h *history) {
	s.t.Helper()
	_, metrics := get(s.t, http.DefaultClient, s.at.Ops+"/metrics")
	said := s.log() + metrics
	for _, p := range h.persons {
		if strings.Contains(said, p.RevealExtension()) {
			s.t.Fatal("an identity number in the log or the metrics")
		}
	}
	for _, d := range h.decisions {
		if share := d.event.Share; share != nil && strings.Contains(said, share.Value.Reveal()) {
			s.t.Fatal("a contact value in the log or the metrics")
		}
	}
	refused := slices.ContainsFunc(h.decisions, func(d drawn) bool { return d.refused != "" })
	if refused && !strings.Contains(said, "decision refused") || !strings.Contains(metrics, "contactsync_oldest_unapplied_seconds") {
		s.t.Error("refusals are not logged, or metrics are missing")
	}
}

// repeat produces everything twice more: nothing may be written to the register.
func (s *scene) repeat(h *history) {
	s.t.Helper()
	writes, versions := s.count(`select count(*) from sync.audit`), s.versions()
	publisher := s.publisher()
	for range 2 {
		for chunk := range slices.Chunk(h.sent(), 500) {
			eventually(s.t, "publish", func() bool { return publisher.Publish(s.t.Context(), chunk...) == nil }) // twice is as good
		}
	}
	s.settle()
	if after := s.count(`select count(*) from sync.audit`); after != writes {
		s.t.Errorf("%d pushes for decisions that were there already", after-writes)
	}
	if s.versions() != versions {
		s.t.Error("the register was written to")
	}
}

// versions sums up all record versions: it grows with each write.
func (s *scene) versions() int64 {
	s.t.Helper()
	return s.count(`select sum(version::bigint)::bigint from register.persons`)
}

// patience is above the longest backoff: a share that the faults have put off again and again may wait for five minutes.
const patience = 6 * time.Minute

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
