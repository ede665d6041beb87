// Package kafkatest gives a test a Kafka: always the one inside this process, and Apache Kafka too where one runs.
//
// Each is for most tests: a shared Apache Kafka at CONTACTSYNC_TEST_KAFKA, a prefix of its own for every test. EachOwn is for
// tests that stop the broker: Apache Kafka is then started from CONTACTSYNC_KAFKA_HOME by .ci/kafka. Without these variables
// the test on Apache Kafka is skipped with a message, and fails where CI=true.
package kafkatest

import (
	"context"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"contactsync/consent/stream"
)

// BrokerEnv names a running Apache Kafka, as host:port.
const BrokerEnv = "CONTACTSYNC_TEST_KAFKA"

// Names of the subtests.
const (
	inProcess   = "in-process"
	apacheKafka = "apache-kafka"
)

// Each runs the test on both brokers, side by side. There are no topics yet: see Topics.
func Each(t *testing.T, test func(t *testing.T, c stream.Config)) {
	t.Helper()
	t.Run(inProcess, func(t *testing.T) {
		t.Parallel()
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		test(t, stream.Config{Brokers: cluster.ListenAddrs(), Prefix: prefix()})
	})
	t.Run(apacheKafka, func(t *testing.T) {
		t.Parallel()
		c := stream.Config{Brokers: []string{needed(t, BrokerEnv)}, Prefix: prefix()}
		t.Cleanup(func() { deleteTopics(t, c) })
		test(t, c)
	})
}

// needed is the value of a variable without which a test on Apache Kafka cannot run.
func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	switch {
	case value == "" && os.Getenv("CI") == "true":
		t.Fatalf("%s is not set", variable)
	case value == "":
		t.Skipf("%s is not set: see consent/README.md", variable)
	}
	return value
}

func prefix() string { return strings.ToLower(rand.Text()[:10]) + "." }

// Topics makes topics.
func Topics(t *testing.T, c stream.Config, specs ...stream.TopicSpec) {
	t.Helper()
	if _, err := stream.EnsureTopics(t.Context(), c, specs); err != nil {
		t.Fatal(err)
	}
	for _, s := range specs {
		AwaitTopic(t, c, s.Name)
	}
}

// AwaitTopic waits until each partition of a topic has a leader. Apache Kafka says that it has made a topic before its nodes know of it, and
// answers after a start before its partitions are led.
func AwaitTopic(t *testing.T, c stream.Config, name string) {
	t.Helper()
	k := Client(t, c)
	ask, one := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	one.Topic = new(c.Prefix + name)
	ask.Topics = append(ask.Topics, one)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		known, err := ask.RequestWith(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		led := func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode == 0 && p.Leader >= 0 }
		if topic := known.Topics[0]; topic.ErrorCode == 0 && !slices.ContainsFunc(topic.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return !led(p) }) {
			return
		}
		<-tick.C
	}
}

// Client is a Kafka client that is not the one under test.
func Client(t *testing.T, c stream.Config, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	k, err := kgo.NewClient(append(options, kgo.SeedBrokers(c.Brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// deleteTopics deletes what the test made. Its own context has ended.
func deleteTopics(t *testing.T, c stream.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	k := Client(t, c)
	topics, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, k)
	if err != nil {
		t.Errorf("list topics: %v", err)
		return
	}
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TimeoutMillis = 10_000
	for _, topic := range topics.Topics {
		if strings.HasPrefix(*topic.Topic, c.Prefix) {
			one := kmsg.NewDeleteTopicsRequestTopic()
			one.Topic = topic.Topic
			request.Topics = append(request.Topics, one)
			request.TopicNames = append(request.TopicNames, *topic.Topic)
		}
	}
	if _, err := request.RequestWith(ctx, k); err != nil {
		t.Errorf("delete topics: %v", err)
	}
}
