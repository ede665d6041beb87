package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"contactsync/consent/trouble"
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
	From      int64 // offset that was wanted: everything before it was handled
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
	// Partitions are handled side by side, the batches of one partition one after the other. After ErrForgotten they are assigned anew.
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
	// Healthy tells whether the handler can work at all. A member whose handler has failed for longer than SessionTimeout, and that is
	// not healthy, leaves the group until it is: its partitions are read by others meanwhile. Nil: it never leaves.
	Healthy func(context.Context) error
	// Holds tells, every second, whether everything before these offsets is durable still; ErrForgotten if not. Nil: it always is.
	Holds func(ctx context.Context, next map[int]int64) error
}

// ErrForgotten says that a handler's database may be behind what was read: it was restored, or a replica that did not have everything has
// taken over. The partitions are assigned anew then, and read from where the database stands.
var ErrForgotten = errors.New("the database may have forgotten what was read")

const (
	heartbeat     = 500 * time.Millisecond // how late a member hears of another that came or left
	commitEvery   = 200 * time.Millisecond
	handleTimeout = 4 * time.Second // how long a batch may take, also after its generation ended; below the session timeout
	fetchWait     = 500 * time.Millisecond
	fetchBytes    = 1 << 20                   // of each partition: some thousand decisions
	askTimeout    = fetchWait + 5*time.Second // kafka-go sets no deadline of its own: a silent broker would hold a partition for ever
)

// Consume joins the group and hands batches to h until ctx ends, through rebalances, broker outages, a topic that is missing and
// a login that is refused, which it tells once a minute. It returns nil then; before that only what is wrong with the config.
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
	con := &consumer{ConsumeConfig: c, link: l, handler: h, trouble: trouble.New(c.Log)}
	for ctx.Err() == nil {
		if err := con.join(ctx); err != nil {
			return err
		}
	}
	return nil
}

type consumer struct {
	ConsumeConfig
	link    *link
	handler Handler
	trouble *trouble.Log
	health  health
}

// wire is the topic's name for the broker.
func (c ConsumeConfig) wire() string { return c.name(c.Topic) }

// ofGroup is the part that is in trouble when it is no partition.
const ofGroup = "group"

// join is a member of the group until ctx ends or the handler is too sick to keep partitions.
func (c *consumer) join(ctx context.Context) error {
	if !c.awaitHealth(ctx) {
		return nil
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.name(c.Group), Brokers: c.Brokers, Dialer: c.link.dialer(), Topics: []string{c.wire()},
		HeartbeatInterval: heartbeat, SessionTimeout: c.SessionTimeout, RebalanceTimeout: c.SessionTimeout,
		JoinGroupBackoff: time.Second, WatchPartitionChanges: true, StartOffset: kafka.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("join consumer group: %w", err)
	}
	ctx, leave := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer leave()
	watching.Go(func() {
		defer leave()
		c.watchHealth(ctx)
	})
	return c.run(ctx, group)
}

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
			c.trouble.Warn(ofGroup, "consumer group not joined", c.link.told(err), "group", c.Group)
			continue
		}
		took := make(chan bool)
		gen.Start(func(ctx context.Context) { took <- c.generation(ctx, gen) })
		if !<-took && c.hindered(ctx) {
			pause(ctx, time.Second) // kafka-go would join again at once, without end
		}
	}
}

// hindered tells whether more than a rebalance has ended a generation before it began, and logs it: where the topic is missing
// kafka-go says nothing.
func (c *consumer) hindered(ctx context.Context) bool {
	transport := c.link.transport()
	defer transport.CloseIdleConnections()
	_, err := c.limits(ctx, c.client(transport))
	if err == nil || ctx.Err() != nil {
		return false
	}
	c.trouble.Warn(ofGroup, "partitions not taken over", err, "group", c.Group)
	return true
}

func (c *consumer) client(t *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: t, Timeout: askTimeout}
}

// generation is one assignment of partitions.
type generation struct {
	*consumer
	gen *kafka.Generation
	// client is of this generation only: what a transport knows of partitions and their leaders may be seconds old, and a gate
	// that is closed at an old high watermark lets shares pass.
	client  *kafka.Client
	offsets *offsets
	end     context.CancelFunc // has the partitions assigned anew
}

// generation lives as long as the assignment. Whatever ends it, a final commit is made before the group may rebalance. It tells
// whether the partitions were taken over.
func (c *consumer) generation(ctx context.Context, gen *kafka.Generation) bool {
	transport := c.link.transport()
	defer transport.CloseIdleConnections()
	g := &generation{consumer: c, gen: gen, client: c.client(transport), offsets: &offsets{next: map[int]int64{}, reached: map[int]int64{}}}
	assigned, starts, ok := g.takeOver(ctx)
	if !ok {
		return false
	}
	c.Log.Info("partitions assigned", "group", c.Group, "generation", gen.ID, "partitions", len(assigned))
	ctx, g.end = context.WithCancel(ctx)
	var partitions, committer sync.WaitGroup
	partitions.Go(func() {
		defer g.end()
		g.watch(ctx)
	})
	for i, a := range assigned {
		g.offsets.reached[a.Partition] = starts[i]
	}
	if c.Holds != nil {
		partitions.Go(func() {
			defer g.end()
			g.watchHolds(ctx)
		})
	}
	for i, a := range assigned {
		f := &fetcher{generation: g, partition: a.Partition, next: starts[i], limit: c.MaxBatch}
		partitions.Go(func() { f.run(ctx) })
	}
	committing := make(chan struct{})
	committer.Go(func() { g.commitLoop(committing) })
	<-ctx.Done() // also with no partition of our own
	partitions.Wait()
	close(committing)
	committer.Wait()
	return true
}

// takeOver repeats start until it works or the generation ends. To leave instead would make all other members stop and join
// again, though it may be only our database that is away.
func (g *generation) takeOver(ctx context.Context) ([]Assignment, []int64, bool) {
	for {
		assigned, starts, err := g.start(ctx)
		if err == nil {
			g.trouble.Over(ofGroup, "consuming again", "group", g.Group)
			return assigned, starts, true
		}
		if ctx.Err() != nil {
			return nil, nil, false
		}
		g.trouble.Warn(ofGroup, "partitions not taken over", err, "group", g.Group)
		pause(ctx, time.Second)
	}
}

// start asks the broker how far each partition reaches and the handler where to begin.
func (g *generation) start(ctx context.Context) ([]Assignment, []int64, error) {
	own := g.gen.Assignments[g.wire()]
	limits, err := g.limits(ctx, g.client)
	if err != nil {
		return nil, nil, err
	}
	ends := make(map[int]int64, len(limits))
	for number, l := range limits {
		ends[number] = l.LastOffset
	}
	assigned := make([]Assignment, len(own))
	for i, p := range own {
		l, known := limits[p.ID]
		if !known {
			return nil, nil, fmt.Errorf("ask for offsets: partition %d is not known yet", p.ID)
		}
		assigned[i] = Assignment{Partition: p.ID, Committed: max(p.Offset, -1), LogStart: l.FirstOffset, HighWatermark: l.LastOffset}
	}
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	starts, err := g.handler.Assigned(ctx, g.Topic, assigned, ends)
	g.health.note(err)
	return assigned, starts, err
}

// limits asks for the first and the last offset of every partition of the topic.
func (c *consumer) limits(ctx context.Context, client *kafka.Client) (map[int]kafka.PartitionOffsets, error) {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.wire()}})
	if err != nil {
		return nil, fmt.Errorf("ask for partitions: %w", c.link.told(err))
	}
	var ask []kafka.OffsetRequest
	for _, t := range meta.Topics {
		if t.Error != nil {
			return nil, fmt.Errorf("ask for partitions of topic %s: %w", c.wire(), t.Error)
		}
		for _, p := range t.Partitions {
			ask = append(ask, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
	}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.wire(): ask}})
	if err != nil {
		return nil, fmt.Errorf("ask for offsets: %w", c.link.told(err))
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

func (g *generation) commitLoop(end <-chan struct{}) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.commit()
		case <-end:
			g.commit()
			return
		}
	}
}

// commit loses nothing when it fails: the offset in the database decides where a start begins, too.
func (g *generation) commit() {
	next := g.offsets.take()
	if len(next) == 0 {
		return
	}
	if err := g.gen.CommitOffsets(map[string]map[int]int64{g.wire(): next}); err != nil {
		g.trouble.Warn(ofGroup, "offsets not committed", g.link.told(err), "group", g.Group)
		g.offsets.again(next)
		return
	}
	g.trouble.Over(ofGroup, "consuming again", "group", g.Group)
}

// offsets holds what is durable. Each partition has one writer.
type offsets struct {
	mu      sync.Mutex
	next    map[int]int64 // not yet committed
	reached map[int]int64 // of every partition of ours
}

func (o *offsets) done(partition int, next int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next[partition], o.reached[partition] = next, next
}

// moved notes where a partition goes on whose records are gone.
func (o *offsets) moved(partition int, next int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reached[partition] = next
}

func (o *offsets) all() map[int]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.reached)
}

// again puts back what was taken and not committed, unless more has been done meanwhile.
func (o *offsets) again(next map[int]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for partition, offset := range next {
		o.next[partition] = max(o.next[partition], offset)
	}
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
