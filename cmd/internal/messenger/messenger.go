// Package messenger carries decisions from the consent schema to Kafka, and outcomes back.
//
// It owns both goroutines and waits for them. Start with New and Run.
package messenger

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/group"
	"contactsync/consent/outbox"
	"contactsync/consent/stream"
)

// Config of a messenger; all fields are required.
type Config struct {
	Kafka stream.Config
	Pool  *pgxpool.Pool // on a database with the schema "consent"
	Store *consentpg.Store
	Log   *slog.Logger
	// Told is called with each person of whom an outcome came that is news; it must not block.
	Told func(contact.PersonID)
}

// Group is the consumer group of the readers of outcomes.
const Group = "contactsync-outcomes"

// Messenger is a relay and a reader of outcomes.
type Messenger struct {
	Config
	relay     *outbox.Relay
	publisher *stream.Publisher
	folding   group.Group[[]event.Outcome]
	place     place
}

const (
	mostFolded      = 1000 // outcomes of one transaction
	worthAFold      = 100
	foldsGather     = 10 * time.Millisecond // nobody's detail waits for them, but everybody who decides for the CPU that they take
	togetherTimeout = time.Second           // of the outcomes of several partitions
)

// New puts a messenger together; nothing runs yet.
func New(c Config) (*Messenger, error) {
	publisher, err := stream.NewPublisher(c.Kafka)
	if err != nil {
		return nil, err
	}
	relay, err := outbox.New(outbox.Config{Pool: c.Pool, Schema: "consent", Publisher: publisher, Log: c.Log})
	if err != nil {
		return nil, err
	}
	m := &Messenger{Config: c, relay: relay, publisher: publisher}
	m.folding = group.Group[[]event.Outcome]{Do: m.fold, AtOnce: 1, Most: mostFolded, Size: func(some []event.Outcome) int { return len(some) },
		Worth: worthAFold, More: func() bool { return true }, LingerFor: foldsGather}
	return m, nil
}

// Wake has the decisions published that have become durable.
func (m *Messenger) Wake() { m.relay.Wake() }

// Run works until ctx ends.
func (m *Messenger) Run(ctx context.Context) error {
	var relay sync.WaitGroup
	relay.Go(func() { m.relay.Run(ctx) })
	err := stream.Consume(ctx, stream.ConsumeConfig{Config: m.Kafka, Group: Group,
		Topic: event.TopicOutcomes, Log: m.Log, Healthy: m.Pool.Ping, Holds: m.holds}, m)
	relay.Wait()
	return errors.Join(err, m.publisher.Close())
}

// Handle implements stream.Handler.
func (m *Messenger) Handle(ctx context.Context, b stream.Batch) error {
	var outcomes []event.Outcome
	for _, r := range b.Records {
		o, err := event.ReadOutcome(r.Headers, r.Value)
		if err != nil {
			m.Log.Warn("outcome skipped", "partition", b.Partition, "offset", r.Offset, "error", err.Error())
			continue
		}
		outcomes = append(outcomes, o)
	}
	if len(outcomes) > 0 {
		if err := m.folding.Wait(ctx, outcomes); err != nil {
			return err
		}
	}
	return m.folded(ctx, b)
}

// fold takes in the outcomes of several partitions at once. If that fails, or takes long, there is time left for those of each by themselves.
func (m *Messenger) fold(ctx context.Context, all [][]event.Outcome) error {
	if len(all) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, togetherTimeout)
		defer cancel()
	}
	news, err := m.Store.Fold(ctx, slices.Concat(all...))
	for _, p := range news {
		m.Told(p)
	}
	return err
}

// Lost implements stream.Handler. The page of a person whose outcome is lost stays at "saved"; the register is as it should be.
func (m *Messenger) Lost(_ context.Context, l stream.Loss) error {
	m.Log.Error("outcomes were deleted before they were read", "topic", l.Topic, "partition", l.Partition, "from", l.From, "to", l.To)
	return nil
}
