package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/consent/event"
)

// TestServicesSayWhatIsWrong starts a worker where something is not as it must be. The worker says what in one line, lives on, and
// works when it is mended.
func TestServicesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := StartFleet(t, FleetConfig{Persons: 10})
	s := f.scene(t)
	nothing := func() {}
	for _, tt := range []struct {
		sentence string
		env      []string
		spoil    func()
		says     string // once, in the log
		ready    string // what /readyz says meanwhile
		mend     func()
	}{
		{"PostgreSQL refuses the password", nil, func() { s.execute(`alter role contactsync_worker password 'another'`) },
			"password authentication failed", "postgres", func() { s.execute(`alter role contactsync_worker password '` + rolePassword + `'`) }},
		{"PostgreSQL has no connection left", nil, func() { s.execute(`alter role contactsync_worker connection limit 0`) },
			"too many connections for role", "postgres", func() { s.execute(`alter role contactsync_worker connection limit -1`) }},
		{"PostgreSQL cannot be reached", nil, f.Links["worker-postgres"].Cut, "connection refused", "postgres", f.Links["worker-postgres"].Mend},
		{"the schema is not up to date", nil, func() { s.execute(`alter table sync.schema_version rename to elsewhere`) },
			"run contactsync migrate", "postgres", func() { s.execute(`alter table sync.elsewhere rename to schema_version`) }},
		{"the topics are missing", []string{"CONTACTSYNC_KAFKA_PREFIX=missing."}, nothing,
			"topic missing.contactsync.decisions.v1: it does not exist", "partitions", func() { f.topics("missing.") }},
		{"Kafka cannot be reached", nil, f.Links["kafka"].Cut, "connection refused", "partitions", f.Links["kafka"].Mend},
		{"a topic is compacted", []string{"CONTACTSYNC_KAFKA_PREFIX=compacted."}, func() { f.topics("compacted."); s.compact("compacted." + event.TopicDecisions) },
			"cleanup.policy", "ok, without [kafka]", nothing},
		{"the register cannot be reached", nil, f.Links["worker-register"].Cut, "connection refused", "ok, without [register]", f.Links["worker-register"].Mend},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			w := f.NewWorker("worker", tt.env...)
			tt.spoil()
			f.must(w.Start())
			eventually(t, "the worker says what is wrong", func() bool {
				return strings.Contains(readyz(f.Ops(w)), tt.ready) && strings.Contains(w.Log(), tt.says)
			})
			if w.Ended() {
				t.Error("the worker has ended")
			}
			if lines := linesWith(w.Log(), tt.says); lines > 2 { // by what it needs it for: to be ready, and to work
				t.Errorf("it says so in %d lines:\n%s", lines, w.Log())
			}
			tt.mend()
			f.AwaitReady(w)
			w.Stop()
		})
	}
}

// TestLostRecordsAreTold deletes records that no worker has read, as retention does in a long outage.
func TestLostRecordsAreTold(t *testing.T) {
	t.Parallel()
	f := StartFleet(t, FleetConfig{Workers: 1, Persons: 20})
	s := f.scene(t)
	l, persons := newLoad(s), s.persons("generated")
	for _, p := range persons {
		f.must(l.decide(t.Context(), p, true))
	}
	eventually(t, "the first shares are there", s.settled)
	f.Workers[0].Stop()
	for _, p := range persons {
		f.must(l.decide(t.Context(), p, true))
	}
	s.deleteRecords(event.TopicDecisions)
	f.must(f.Workers[0].Start())
	f.must(l.decide(t.Context(), persons[0], false))
	eventually(t, "the worker goes on", func() bool { return s.unread() == 0 && s.settled() })
	if shown := s.shown(place{l.last.at.person, l.last.at.channel}); len(shown) != 0 {
		t.Error("the withdrawal behind the lost records is not carried out")
	}
	if _, metrics := get(t, http.DefaultClient, f.Ops(f.Workers[0])+"/metrics"); !strings.Contains(metrics, "contactsync_lost_records_total 20") {
		t.Error("the metric does not tell of 20 lost records")
	}
	if !strings.Contains(f.Workers[0].Log(), "records were deleted before they were read") {
		t.Error("the log does not tell of lost records")
	}
}

func readyz(ops string) string {
	response, err := http.Get(ops + "/readyz")
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text := make([]byte, 200)
	n, _ := response.Body.Read(text)
	return string(text[:n])
}

func linesWith(log, text string) (n int) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (s *scene) execute(statement string) {
	s.t.Helper()
	query(s.t, s.at.Postgres, statement)
}

// compact sets a topic to delete what a newer record has the key of.
func (s *scene) compact(topic string) {
	s.t.Helper()
	change := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	change.Name, change.Value = "cleanup.policy", kmsg.StringPtr("compact")
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	resource.Configs = append(resource.Configs, change)
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	request.Resources = append(request.Resources, resource)
	response, err := request.RequestWith(s.t.Context(), kafka(s.t, s.at.Kafka))
	if err != nil || response.Resources[0].ErrorCode != 0 {
		s.t.Fatal("cannot set a topic to compaction: ", err)
	}
}

// deleteRecords deletes all that lies in a topic.
func (s *scene) deleteRecords(topic string) {
	s.t.Helper()
	asked := kmsg.NewDeleteRecordsRequestTopic()
	asked.Topic = topic
	for partition, end := range ends(s.t, s.at.Kafka, topic) {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = partition, end
		asked.Partitions = append(asked.Partitions, p)
	}
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.Topics = append(request.Topics, asked)
	request.TimeoutMillis = 10000
	response, err := request.RequestWith(s.t.Context(), kafka(s.t, s.at.Kafka))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range response.Topics[0].Partitions {
		if p.ErrorCode != 0 {
			s.t.Fatalf("records of partition %d are not deleted: code %d", p.Partition, p.ErrorCode)
		}
	}
}
