package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/worker"
	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

// way is a way of carrying decisions from Kafka into the register.
type way struct {
	name  string
	tells bool // there is an outcome for each decision
	bulk  bool // contactsv1: the meter does not see what changes
	// carry works until ctx ends.
	carry func(ctx context.Context, s *stage) error
}

func ours() way  { return way{name: "contactsync", tells: true, carry: work} }
func plain() way { return plainWay("plain loop", manner{lanes: 1}) }

// plainEach is a loop for each partition. It commits by the way, as most do.
func (s scenario) plainEach() way {
	return plainWay("plain loops", manner{lanes: s.topicPartitions(), commitEvery: time.Second})
}

// plainStubborn outlives a register that is away.
func plainStubborn() way { return plainWay("plain loop", manner{lanes: 1, stubborn: true}) }

func plainWay(name string, how manner) way {
	return way{name: name, carry: func(ctx context.Context, s *stage) error { return plainly(ctx, s, how) }}
}

func oursInBulk() way {
	return way{name: "contactsync", tells: true, bulk: true, carry: func(ctx context.Context, s *stage) error { return s.work(ctx, true) }}
}

// work is the worker as it runs anywhere.
func work(ctx context.Context, s *stage) error { return s.work(ctx, false) }

func (s *stage) work(ctx context.Context, bulk bool) error {
	pool, err := s.connect(ctx, workerConnections)
	if err != nil {
		return err
	}
	defer pool.Close()
	w, err := worker.New(worker.Config{
		AuditKey: audit.DevelopmentKey(),
		Kafka:    s.kafka, Pool: pool, Pepper: []byte(event.DevelopmentPepper), Source: "urn:hsaid:" + workerHSAID,
		RegisterURL: s.url, LogicalAddress: logicalAddress, TLS: s.client, Codes: register.DefaultCodes(), Now: time.Now,
		CallsPerSecond: s.sc.limit, Bulk: bulk,
		Log: s.cfg.Log, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// plainly is what people write: one event at a time, read, write, commit. Of several lanes each does so with partitions of its own.
func plainly(ctx context.Context, s *stage, how manner) error {
	reads, _ := register.HTTPClients(s.client, how.lanes, nil)
	defer reads.CloseIdleConnections()
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: s.url, LogicalAddress: logicalAddress, HTTP: reads,
	}})
	if err != nil {
		return err
	}
	l := &loops{manner: how, client: client, reader: kafka.NewReader(kafka.ReaderConfig{
		Brokers: s.kafka.Brokers, GroupID: s.kafka.Prefix + groupPlain, Topic: s.kafka.Prefix + event.TopicDecisions,
		StartOffset:    kafka.FirstOffset,
		MaxWait:        time.Second, // of a fetch that finds nothing; Close waits for it, and the default is ten
		CommitInterval: how.commitEvery,
	})}
	err = l.run(ctx, s.load.decisions)
	closed := l.reader.Close()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(err, closed)
}

// manner is how the plain loop goes about it.
type manner struct {
	lanes       int
	commitEvery time.Duration // 0: after each event, before the next
	stubborn    bool          // what failed is tried again after a second, whatever it was
}

type loops struct {
	manner
	client *personv4.Client
	reader *kafka.Reader
}

func (l *loops) run(ctx context.Context, most int) error {
	group, ctx := errgroup.WithContext(ctx)
	lanes := make([]chan kafka.Message, l.lanes)
	for i := range lanes {
		lanes[i] = make(chan kafka.Message)
		if len(lanes) > 1 { // none must wait for another one
			lanes[i] = make(chan kafka.Message, most)
		}
		group.Go(func() error { return l.lane(ctx, lanes[i]) })
	}
	group.Go(func() error {
		for {
			m, err := l.reader.FetchMessage(ctx)
			if err != nil {
				return fmt.Errorf("fetch: %w", err)
			}
			select {
			case lanes[m.Partition%len(lanes)] <- m:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}

func (l *loops) lane(ctx context.Context, messages <-chan kafka.Message) error {
	for {
		select {
		case m := <-messages:
			if err := l.one(ctx, m); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *loops) one(ctx context.Context, m kafka.Message) error {
	var d plainDecision
	if err := json.Unmarshal(m.Value, &d); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := l.patiently(ctx, func() error { return d.carry(ctx, l.client) }); err != nil {
		return err
	}
	return l.reader.CommitMessages(ctx, m)
}

// plainDecision is as much of a decision as the plain loop reads.
type plainDecision struct {
	Person struct {
		Root      string `json:"root"`
		Extension string `json:"extension"`
	} `json:"person"`
	Channel contact.Channel `json:"channel"`
	Value   string          `json:"value"`
}

func (d plainDecision) carry(ctx context.Context, client *personv4.Client) error {
	id := personv4.ID{Root: d.Person.Root, Extension: d.Person.Extension}
	record, err := client.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	if record == nil {
		return errors.New("get: no such person")
	}
	result, err := client.Update(ctx, personv4.Update{
		Actor: personv4.Actor{ID: id}, Person: id, VersionToUpdate: record.Version, Entries: d.entries(*record),
		ContactPersons: record.ContactPersons, OptoutPaper: record.OptoutPaper, Unknown: record.Unknown,
	})
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if !result.OK {
		return fmt.Errorf("update: %s", result.Code)
	}
	return nil
}

// entries replaces the resident's own entry, or adds it.
func (d plainDecision) entries(record personv4.Record) []personv4.Entry {
	code := register.DefaultCodes()[d.Channel]
	entries := []personv4.Entry{{Type: code.Type, Use: &code.Use, Value: &d.Value}}
	for _, e := range record.Entries {
		if e.Type != code.Type || e.Use == nil || *e.Use != code.Use {
			entries = append(entries, e)
		}
	}
	return entries
}

// patiently does it again for as long as the register asks to be left alone.
func (l *loops) patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		wait := time.Second
		if busy, ok := errors.AsType[*rivta.StatusError](err); ok && busy.RetryAfter > 0 {
			wait = max(busy.RetryAfter, time.Millisecond)
		} else if !l.stubborn {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}
