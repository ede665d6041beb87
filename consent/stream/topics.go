package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"contactsync/consent/event"
)

// TopicSpec is a topic as it should be.
type TopicSpec struct {
	Name        string
	Partitions  int           // at least 1
	Replication int           // copies of each record; 0 leaves it to the broker
	Retention   time.Duration // how long records stay; 0 leaves it to the broker
}

// minRetention is how long a record must stay: the longest outage after which nothing is lost.
const minRetention = 7 * 24 * time.Hour

// maxRecord is what the publisher puts into a batch at most, as the broker counts it.
const maxRecord = 1 << 20

// Topics are those of contactsync. Records hold contact values: they stay as long as a database that was restored from a
// backup may need to read them again, and not longer.
func Topics() []TopicSpec {
	const retention = 14 * 24 * time.Hour
	return []TopicSpec{
		{Name: event.TopicDecisions, Partitions: 6, Retention: retention},
		{Name: event.TopicOutcomes, Partitions: 6, Retention: retention},
		{Name: event.TopicChanges, Partitions: 6, Retention: retention},
		{Name: event.TopicUnreadable, Partitions: 1, Retention: retention},
	}
}

// Settings are the topic's settings at the broker. Never compaction: a person's channels share a key, so that a Yes for one of
// them would delete a No for the other.
func (s TopicSpec) Settings() map[string]string {
	settings := map[string]string{"cleanup.policy": "delete"}
	if s.Replication > 1 {
		settings["min.insync.replicas"] = "2"
	}
	if s.Retention > 0 {
		settings["retention.ms"] = strconv.FormatInt(s.Retention.Milliseconds(), 10)
	}
	return settings
}

// EnsureTopics makes the topics that are missing, and returns their names. Those that are there it leaves as they are.
func EnsureTopics(ctx context.Context, c Config, specs []TopicSpec) (made []string, err error) {
	a, err := newAdmin(c)
	if err != nil {
		return nil, err
	}
	defer a.close()
	there, err := a.topics(ctx, specs)
	if err != nil {
		return nil, err
	}
	var missing []kafka.TopicConfig
	for _, s := range specs {
		if t := there[c.name(s.Name)]; errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			missing = append(missing, s.config(c))
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	res, err := a.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return nil, fmt.Errorf("make topics: %w", a.told(err))
	}
	var faults []error
	for _, t := range missing {
		switch err := res.Errors[t.Topic]; {
		case err == nil:
			made = append(made, t.Topic)
		case !errors.Is(err, kafka.TopicAlreadyExists): // somebody else was faster
			faults = append(faults, fmt.Errorf("make topic %s: %w", t.Topic, err))
		}
	}
	return made, errors.Join(faults...)
}

func (s TopicSpec) config(c Config) kafka.TopicConfig {
	t := kafka.TopicConfig{Topic: c.name(s.Name), NumPartitions: s.Partitions, ReplicationFactor: s.Replication}
	if s.Replication == 0 {
		t.ReplicationFactor = -1
	}
	for name, value := range s.Settings() {
		t.ConfigEntries = append(t.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	return t
}

// TopicFault is a topic that would lose decisions as it is.
type TopicFault struct{ Topic, Fault string }

func (f *TopicFault) Error() string { return "topic " + f.Topic + ": " + f.Fault }

// CheckTopics compares the topics with what they should be. err joins a TopicFault for each one that loses something; notes
// tell, in words, what is only different from what was asked.
func CheckTopics(ctx context.Context, c Config, specs []TopicSpec) (notes []string, err error) {
	a, err := newAdmin(c)
	if err != nil {
		return nil, err
	}
	defer a.close()
	there, err := a.topics(ctx, specs)
	if err != nil {
		return nil, err
	}
	settings, err := a.settings(ctx, specs)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, s := range specs {
		name := c.name(s.Name)
		for _, fault := range s.faults(there[name], settings[name]) {
			faults = append(faults, &TopicFault{name, fault})
		}
		for _, note := range s.notes(there[name]) {
			notes = append(notes, "topic "+name+": "+note)
		}
	}
	return notes, errors.Join(faults...)
}

func (s TopicSpec) faults(t kafka.Topic, set settings) []string {
	switch {
	case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		return []string{"it does not exist: run contactsync topics"}
	case t.Error != nil:
		return []string{"it cannot be used: " + t.Error.Error()}
	case set.err != nil:
		return []string{"its settings cannot be read: " + set.err.Error()}
	}
	var faults []string
	if len(t.Partitions) < 1 {
		faults = append(faults, "it has no partition")
	}
	if policy := set.values["cleanup.policy"]; policy != "delete" {
		faults = append(faults, fmt.Sprintf("cleanup.policy is %q and must be delete: compaction drops a No when the same person says Yes to another channel", policy))
	}
	if ms, ok := set.number("retention.ms"); !ok || ms >= 0 && ms < minRetention.Milliseconds() {
		faults = append(faults, fmt.Sprintf("retention.ms is %q, which is less than 7 days: an outage that long loses decisions", set.values["retention.ms"]))
	}
	if bytes, ok := set.number("retention.bytes"); ok && bytes >= 0 {
		faults = append(faults, fmt.Sprintf("retention.bytes is %d and must be -1: a burst would push out decisions before their time", bytes))
	}
	if bytes, ok := set.number("max.message.bytes"); ok && bytes < maxRecord {
		faults = append(faults, fmt.Sprintf("max.message.bytes is %d and must be at least %d, which is what is sent at once", bytes, maxRecord))
	}
	if set.values["unclean.leader.election.enable"] == "true" {
		faults = append(faults, "unclean.leader.election.enable is true and must be false: a broker that had fallen behind could lead, without decisions that were acknowledged")
	}
	several := func(p kafka.Partition) bool { return len(p.Replicas) > 1 }
	if n, ok := set.number("min.insync.replicas"); ok && n < 2 && slices.ContainsFunc(t.Partitions, several) {
		faults = append(faults, "min.insync.replicas is 1 and must be 2: a decision that only one broker has would be acknowledged")
	}
	return faults
}

func (s TopicSpec) notes(t kafka.Topic) []string {
	var notes []string
	if have := len(t.Partitions); have > 0 && have != s.Partitions {
		notes = append(notes, fmt.Sprintf("it has %d partitions, not %d", have, s.Partitions))
	}
	single := func(p kafka.Partition) bool { return len(p.Replicas) == 1 }
	if slices.ContainsFunc(t.Partitions, single) {
		notes = append(notes, "each record is kept once: a lost disk loses what was not read")
	}
	return notes
}

// admin asks about topics over a connection of its own, so that no answer is an old one.
type admin struct {
	*link
	client *kafka.Client
	close  func()
}

func newAdmin(c Config) (*admin, error) {
	l, err := c.link()
	if err != nil {
		return nil, err
	}
	transport := l.transport()
	client := &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport, Timeout: 10 * time.Second}
	return &admin{l, client, transport.CloseIdleConnections}, nil
}

// topics gives what the broker knows of each topic, by its name there.
func (a *admin) topics(ctx context.Context, specs []TopicSpec) (map[string]kafka.Topic, error) {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = a.name(s.Name)
	}
	res, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		if a.Login == nil && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("ask kafka for its topics: the broker hangs up, as it does when it wants TLS or a login: %w", err)
		}
		return nil, fmt.Errorf("ask kafka for its topics: %w", a.told(err))
	}
	topics := map[string]kafka.Topic{}
	for _, t := range res.Topics {
		topics[t.Name] = t
	}
	return topics, nil
}

// settings are those of one topic, or why they cannot be read.
type settings struct {
	values map[string]string
	err    error
}

func (s settings) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(s.values[name], 10, 64)
	return n, err == nil
}

func (a *admin) settings(ctx context.Context, specs []TopicSpec) (map[string]settings, error) {
	req := &kafka.DescribeConfigsRequest{}
	for _, s := range specs {
		req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: a.name(s.Name),
			ConfigNames: []string{"cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes", "unclean.leader.election.enable",
				"min.insync.replicas"}})
	}
	res, err := a.client.DescribeConfigs(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask kafka for the settings of topics: %w", a.told(err))
	}
	all := map[string]settings{}
	for _, r := range res.Resources {
		set := settings{map[string]string{}, r.Error}
		for _, e := range r.ConfigEntries {
			set.values[e.ConfigName] = e.ConfigValue
		}
		all[r.ResourceName] = set
	}
	return all, nil
}
