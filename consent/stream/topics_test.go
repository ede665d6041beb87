package stream_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/consent/kafkatest"
	"contactsync/consent/stream"
)

func TestTopicsAreMadeAsTheyMustBe(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		made, err := stream.EnsureTopics(t.Context(), c, stream.Topics())
		if err != nil || len(made) != len(stream.Topics()) {
			t.Fatalf("made %q, %v", made, err)
		}
		if made, err := stream.EnsureTopics(t.Context(), c, stream.Topics()); err != nil || made != nil {
			t.Errorf("the second time made %q, %v", made, err)
		}
		notes, err := stream.CheckTopics(t.Context(), c, stream.Topics())
		if err != nil {
			t.Error(err)
		}
		for _, n := range notes { // both brokers are of one node
			if !strings.HasSuffix(n, "each record is kept once: a lost disk loses what was not read") {
				t.Error(n)
			}
		}
	})
}

// Each fault is told, all at once; a number of partitions that differs is only noted.
func TestTopicsThatLoseDecisionsAreFaults(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, c stream.Config) {
		kafkatest.Topics(t, c, stream.TopicSpec{Name: "good", Partitions: 2, Retention: 8 * 24 * time.Hour}, stream.TopicSpec{Name: "short", Partitions: 1, Retention: time.Hour})
		makeTopic(t, c, "compact", map[string]string{"cleanup.policy": "compact"})
		makeTopic(t, c, "both", map[string]string{"cleanup.policy": "compact,delete"})
		makeTopic(t, c, "small", map[string]string{"retention.bytes": "1000000", "max.message.bytes": "1000"})
		makeTopic(t, c, "unclean", map[string]string{"unclean.leader.election.enable": "true"})
		makeTopic(t, c, "eternal", map[string]string{"retention.ms": "-1"})
		var specs []stream.TopicSpec
		for _, name := range []string{"good", "short", "compact", "both", "small", "unclean", "eternal", "missing"} {
			specs = append(specs, stream.TopicSpec{Name: name, Partitions: 1})
		}
		notes, err := stream.CheckTopics(t.Context(), c, specs)
		want := []string{
			"short: retention.ms is \"3600000\"",
			"compact: cleanup.policy is \"compact\"",
			"both: cleanup.policy is \"compact,delete\"",
			"small: retention.bytes is 1000000",
			"small: max.message.bytes is 1000",
			"unclean: unclean.leader.election.enable is true",
			"missing: it does not exist",
		}
		if diff := cmp.Diff(want, cut(c, strings.Split(errorText(err), "\n"), want)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		fault, _ := errors.AsType[*stream.TopicFault](err)
		if fault == nil || fault.Topic != c.Prefix+"short" {
			t.Errorf("the first fault is %+v", fault)
		}
		if !slices.Contains(notes, "topic "+c.Prefix+"good: it has 2 partitions, not 1") {
			t.Errorf("notes %q", notes)
		}
	})
}

// cut takes from each line the topic's prefix, and what stands behind the wanted text.
func cut(c stream.Config, lines, want []string) []string {
	var out []string
	for i, line := range lines {
		line = strings.TrimPrefix(line, "topic "+c.Prefix)
		if i < len(want) && strings.HasPrefix(line, want[i]) {
			line = want[i]
		}
		out = append(out, line)
	}
	return out
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// makeTopic makes a topic of one partition in a way that EnsureTopics would not.
func makeTopic(t *testing.T, c stream.Config, name string, settings map[string]string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = c.Prefix+name, 1, 1
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		one := kmsg.NewCreateTopicsRequestTopicConfig()
		one.Name, one.Value = key, new(settings[key])
		topic.Configs = append(topic.Configs, one)
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = 10_000
	request.Topics = append(request.Topics, topic)
	k := kafkatest.Client(t, c)
	response, err := request.RequestWith(t.Context(), k)
	if err != nil || response.Topics[0].ErrorCode != 0 {
		t.Fatalf("make topic %s: %v %+v", name, err, response)
	}
	kafkatest.AwaitTopic(t, c, name)
}
