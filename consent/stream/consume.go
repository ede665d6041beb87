package stream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Assignment is a partition that this member owns from now on.
type Assignment struct {
	Partition     int
	Committed     int64 // next offset by the group's commits; -1 where there is none
	LogStart      int64 // first offset that retention has left
	HighWatermark int64 // offset after the newest record
}

// Batch is a run of records of one partition, in order.
type Batch struct {
	Topic     string
	Partition int
	Records   []Record
	Next      int64 // offset after the batch; above the last record's where the log has gaps
	// HighWatermark is the offset after the newest record when the batch was fetched.
	HighWatermark int64
}

// Loss tells that records from From to before To were gone before they were read: retention deleted them, or the log is
// another one than before.
type Loss struct {
	Topic     string
	Partition int
	From, To  int64
	// HighWatermark is the offset after the newest record that is left.
	HighWatermark int64
}

// Handler receives what is consumed.
type Handler interface {
	// Assigned is called once per generation, before anything is fetched, and returns for each assignment the offset to start at.
	// ends are the high watermarks of all partitions of the topic, also of those that other members own.
	Assigned(ctx context.Context, topic string, assigned []Assignment, ends map[int]int64) (starts []int64, err error)
	// Handle makes a batch durable. Only then may its offset be committed. An error repeats the same batch after a pause.
	// Partitions are handled side by side, the batches of one partition one after the other.
	Handle(ctx context.Context, b Batch) error
	// Lost is called instead of Handle for records that cannot be read any more. An error repeats the call after a pause.
	Lost(ctx context.Context, l Loss) error
}

// ConsumeConfig says what to consume.
type ConsumeConfig struct {
	Config
	Group    string
	Topic    string
	MaxBatch int // records in one Handle at most; 500 if zero
	Log      *slog.Logger
	// SessionTimeout is how long a dead member keeps its partitions; 10 s if zero.
	SessionTimeout time.Duration
}

const (
	commitEvery   = 200 * time.Millisecond
	handleTimeout = 4 * time.Second // how long a batch may take, also after its generation ended; below the session timeout
	fetchWait     = 500 * time.Millisecond
	fetchBytes    = 4 << 20
	askTimeout    = fetchWait + 5*time.Second // kafka-go sets no deadline of its own: a silent broker would hold a partition for ever
)

// Consume joins the group and hands batches to h until ctx ends, through rebalances and broker outages. It returns nil then.
func Consume(ctx context.Context, c ConsumeConfig, h Handler) error {
	l, err := c.link()
	if err != nil {
		return err
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 500
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 10 * time.Second
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.name(c.Group), Brokers: c.Brokers, Dialer: l.dialer(), Topics: []string{c.wire()},
		HeartbeatInterval: time.Second, SessionTimeout: c.SessionTimeout, RebalanceTimeout: c.SessionTimeout,
		JoinGroupBackoff: time.Second, WatchPartitionChanges: true, StartOffset: kafka.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("join consumer group: %w", err)
	}
	transport := l.transport()
	defer transport.CloseIdleConnections()
	con := &consumer{ConsumeConfig: c, handler: h, client: &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport, Timeout: askTimeout}}
	return con.run(ctx, group)
}

type consumer struct {
	ConsumeConfig
	handler Handler
	client  *kafka.Client
}

// wire is the topic's name for the broker.
func (c ConsumeConfig) wire() string { return c.name(c.Topic) }

func (c *consumer) run(ctx context.Context, group *kafka.ConsumerGroup) error {
	stop := context.AfterFunc(ctx, func() { _ = group.Close() }) // Close waits for the running generation's functions
	defer stop()
	for {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			return group.Close()
		}
		if err != nil {
			// A fresh broker answers "coordinator not available" to the first join: the group tries again by itself.
			c.Log.Warn("consumer group not joined", "group", c.Group, "error", err.Error())
			continue
		}
		c.Log.Info("partitions assigned", "group", c.Group, "generation", gen.ID, "partitions", len(gen.Assignments[c.wire()]))
		done := make(chan struct{})
		gen.Start(func(ctx context.Context) {
			defer close(done)
			c.generation(ctx, gen)
		})
		<-done
	}
}

// generation lives as long as the assignment. Whatever ends it, a final commit is made before the group may rebalance.
func (c *consumer) generation(ctx context.Context, gen *kafka.Generation) {
	assigned, starts, err := c.start(ctx, gen)
	if err != nil {
		if ctx.Err() == nil {
			c.Log.Warn("generation not started", "group", c.Group, "error", err.Error())
			pause(ctx, time.Second)
		}
		return
	}
	offsets := &offsets{next: map[int]int64{}}
	var partitions, committer sync.WaitGroup
	for i, a := range assigned {
		f := &fetcher{consumer: c, partition: a.Partition, next: starts[i], offsets: offsets, limit: c.MaxBatch}
		partitions.Go(func() { f.run(ctx) })
	}
	committing := make(chan struct{})
	committer.Go(func() { c.commitLoop(gen, offsets, committing) })
	<-ctx.Done() // also with no partition of our own
	partitions.Wait()
	close(committing)
	committer.Wait()
}

// start asks the broker how far each partition reaches and the handler where to begin.
func (c *consumer) start(ctx context.Context, gen *kafka.Generation) ([]Assignment, []int64, error) {
	own := gen.Assignments[c.wire()]
	limits, err := c.limits(ctx)
	if err != nil {
		return nil, nil, err
	}
	ends := make(map[int]int64, len(limits))
	for number, l := range limits {
		ends[number] = l.LastOffset
	}
	assigned := make([]Assignment, len(own))
	for i, p := range own {
		l := limits[p.ID]
		assigned[i] = Assignment{Partition: p.ID, Committed: max(p.Offset, -1), LogStart: l.FirstOffset, HighWatermark: l.LastOffset}
	}
	starts, err := c.handler.Assigned(ctx, c.Topic, assigned, ends)
	return assigned, starts, err
}

// limits asks for the first and the last offset of every partition of the topic.
func (c *consumer) limits(ctx context.Context) (map[int]kafka.PartitionOffsets, error) {
	meta, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.wire()}})
	if err != nil {
		return nil, fmt.Errorf("ask for partitions: %w", err)
	}
	var ask []kafka.OffsetRequest
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			ask = append(ask, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
	}
	res, err := c.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.wire(): ask}})
	if err != nil {
		return nil, fmt.Errorf("ask for offsets: %w", err)
	}
	limits := map[int]kafka.PartitionOffsets{}
	for _, p := range res.Topics[c.wire()] {
		if p.Error != nil {
			return nil, fmt.Errorf("ask for offsets of partition %d: %w", p.Partition, p.Error)
		}
		limits[p.Partition] = p
	}
	return limits, nil
}

func (c *consumer) commitLoop(gen *kafka.Generation, o *offsets, end <-chan struct{}) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.commit(gen, o)
		case <-end:
			c.commit(gen, o)
			return
		}
	}
}

// commit loses nothing when it fails: the offset in the database decides where a start begins, too.
func (c *consumer) commit(gen *kafka.Generation, o *offsets) {
	if next := o.take(); len(next) > 0 {
		if err := gen.CommitOffsets(map[string]map[int]int64{c.wire(): next}); err != nil {
			c.Log.Warn("offsets not committed", "group", c.Group, "error", err.Error())
		}
	}
}

// offsets holds what is durable and not yet committed. Each partition has one writer, so it only grows.
type offsets struct {
	mu   sync.Mutex
	next map[int]int64
}

func (o *offsets) done(partition int, next int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next[partition] = next
}

func (o *offsets) take() map[int]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.next
	o.next = map[int]int64{}
	return taken
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
