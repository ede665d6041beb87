package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"contactsync/cmd/internal/devstack"
	"contactsync/cmd/internal/messenger"
	"contactsync/cmd/internal/worker"
	"contactsync/consent/event"
	"contactsync/consent/stream"
)

const (
	kafkaTimeout = 5 * time.Second
	readyTimeout = 20 * time.Second // for new topics to have leaders
	kafkaPoll    = 50 * time.Millisecond
)

// Consumer groups beside the worker's.
const (
	groupOutcomes = "contactsync-bench-outcomes"
	groupPlain    = "contactsync-bench-plain"
)

func topics() []string {
	return []string{event.TopicDecisions, event.TopicOutcomes, event.TopicUnreadable}
}

// administrator makes and deletes topics and groups. Its connections must be closed.
type administrator struct {
	kafka.Client
	transport *kafka.Transport
}

func administer(brokers []string) *administrator {
	transport := &kafka.Transport{DialTimeout: 3 * time.Second}
	return &administrator{kafka.Client{Addr: kafka.TCP(brokers...), Timeout: kafkaTimeout, Transport: transport}, transport}
}

func (a *administrator) close() { a.transport.CloseIdleConnections() }

// reachable returns ErrKafka if no broker answers in time.
func reachable(ctx context.Context, brokers []string) error {
	a := administer(brokers)
	defer a.close()
	asking, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	_, err := a.Metadata(asking, &kafka.MetadataRequest{})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w at %s: %w", ErrKafka, strings.Join(brokers, ", "), err)
	}
	return err
}

// kafkaVersion is what the broker seems to be, by what it can do.
func kafkaVersion(ctx context.Context, brokers []string) (string, error) {
	a := administer(brokers)
	defer a.close()
	res, err := a.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err != nil {
		return "", fmt.Errorf("ask for Kafka's version: %w", err)
	}
	newest := map[int16]int16{}
	for _, k := range res.ApiKeys {
		newest[int16(k.ApiKey)] = int16(k.MaxVersion)
	}
	return devstack.GuessKafkaVersion(newest), nil
}

// makeTopics makes the topics of a stage and waits until they can be written to.
func makeTopics(ctx context.Context, c stream.Config, partitions int) error {
	a := administer(c.Brokers)
	defer a.close()
	const byDefault = -1 // the broker's own replication factor
	var wanted []kafka.TopicConfig
	for _, name := range topics() {
		wanted = append(wanted, kafka.TopicConfig{Topic: c.Prefix + name, NumPartitions: partitions, ReplicationFactor: byDefault})
	}
	res, err := a.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: wanted})
	if err != nil {
		return fmt.Errorf("make topics: %w", err)
	}
	for _, err := range res.Errors {
		if err != nil {
			return fmt.Errorf("make topics: %w", err)
		}
	}
	return awaitLeaders(ctx, c, partitions)
}

// awaitLeaders waits until the leader of each partition answers as such. What metadata says comes earlier, and what is published
// then is refused.
func awaitLeaders(ctx context.Context, c stream.Config, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := leadersAnswer(ctx, c, partitions)
		if err == nil {
			return nil
		}
		if pause(ctx, kafkaPoll) != nil {
			return fmt.Errorf("new topics are not ready: %w", err)
		}
	}
}

// leadersAnswer asks on fresh connections, since old ones remember who was leader.
func leadersAnswer(ctx context.Context, c stream.Config, partitions int) error {
	a := administer(c.Brokers)
	defer a.close()
	ask := map[string][]kafka.OffsetRequest{}
	for _, name := range topics() {
		for partition := range partitions {
			ask[c.Prefix+name] = append(ask[c.Prefix+name], kafka.FirstOffsetOf(partition))
		}
	}
	res, err := a.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: ask})
	if err != nil {
		return err
	}
	for _, offsets := range res.Topics {
		for _, partition := range offsets {
			if partition.Error != nil {
				return partition.Error
			}
		}
	}
	return nil
}

// deleteTopics removes all that a stage has left at the broker. A group that was never used is no fault.
func deleteTopics(ctx context.Context, c stream.Config) error {
	a := administer(c.Brokers)
	defer a.close()
	var names []string
	for _, name := range topics() {
		names = append(names, c.Prefix+name)
	}
	var faults []error
	for _, group := range []string{worker.Group, messenger.Group, groupOutcomes, groupPlain} {
		faults = append(faults, a.deleteGroup(ctx, c.Prefix+group))
	}
	res, err := a.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names})
	faults = append(faults, err)
	if err == nil {
		for _, err := range res.Errors {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("delete topics and groups that begin with %s: %w", c.Prefix, err)
	}
	return nil
}

func (a *administrator) deleteGroup(ctx context.Context, group string) error {
	res, err := a.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	if err := res.Errors[group]; err != nil && !errors.Is(err, kafka.GroupIdNotFound) {
		return err
	}
	return nil
}
