package stream

import (
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

// A topic of several copies, which no broker of the tests can have.
func TestAcknowledgedByOneOfSeveralIsAFault(t *testing.T) {
	t.Parallel()
	const fault = "min.insync.replicas is 1"
	for copies, want := range map[int]bool{1: false, 3: true} {
		topic := kafka.Topic{Partitions: []kafka.Partition{{Replicas: make([]kafka.Broker, copies)}}}
		for least, ok := range map[string]bool{"1": true, "2": false} {
			told := strings.Join(TopicSpec{}.faults(topic, settings{values: map[string]string{
				"cleanup.policy": "delete", "retention.ms": "-1", "min.insync.replicas": least}}), "\n")
			if strings.Contains(told, fault) != (want && ok) || !strings.HasPrefix(told, fault) && told != "" {
				t.Errorf("%d copies, %s of them at least: %q", copies, least, told)
			}
		}
	}
	if set := (TopicSpec{Replication: 3}).Settings()["min.insync.replicas"]; set != "2" {
		t.Errorf("a topic of three copies is made with %q", set)
	}
}
