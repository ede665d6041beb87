package messenger

import (
	"context"
	"sync"

	"contactsync/consent/stream"
)

// place is what is known of our partitions since they were assigned.
type place struct {
	mu    sync.Mutex
	run   string        // of the server that they were taken over under
	until map[int]int64 // of those that are read again: the offset that was committed; what lies before may be forgotten
}

// Assigned implements stream.Handler. Outcomes are folded by their sequence, so Kafka's own offset is good enough, as long as the database is known
// to have what was folded before it. Under another run of the server it may have forgotten that, and the partition is read again from the log's start:
// only what is missing changes anything. It counts as known when that is done, so that a crash meanwhile has it read again. A partition
// without a row may be one of a restored database, and is read again too, as all are on the first start of this version.
func (m *Messenger) Assigned(ctx context.Context, topic string, assigned []stream.Assignment, _ map[int]int64) ([]int64, error) {
	run, known, err := m.Store.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	starts, until, complete := make([]int64, len(assigned)), map[int]int64{}, []int(nil)
	for i, a := range assigned {
		starts[i] = max(a.Committed, a.LogStart)
		committed := min(a.Committed, a.HighWatermark) // a shorter log is another one
		switch {
		case known[a.Partition]:
		case committed > a.LogStart:
			starts[i], until[a.Partition] = a.LogStart, committed
			m.Log.Info("outcomes are folded again", "topic", topic, "partition", a.Partition, "from", a.LogStart, "until", committed)
		default: // nothing lies before
			complete = append(complete, a.Partition)
		}
	}
	if len(complete) > 0 {
		if err := m.Store.Known(ctx, topic, complete, run); err != nil {
			return nil, err
		}
	}
	m.place.begin(run, until)
	return starts, nil
}

// holds tells whether the server is in the run that our partitions were taken over under; else it is stream.ErrForgotten. It goes by that run, and
// not by the table's, which has another one until a partition is read again: to have it assigned anew would begin that anew, without end.
func (m *Messenger) holds(ctx context.Context, _ map[int]int64) error {
	run, err := m.Store.Run(ctx)
	switch {
	case err != nil:
		return err
	case run != m.place.under():
		return stream.ErrForgotten
	}
	return nil
}

// folded notes that a partition has been read again, if this batch is what it lacked.
func (m *Messenger) folded(ctx context.Context, b stream.Batch) error {
	if !m.place.reached(b.Partition, b.Next) {
		return nil
	}
	if err := m.Store.Known(ctx, b.Topic, []int{b.Partition}, m.place.under()); err != nil {
		return err
	}
	m.place.done(b.Partition)
	return nil
}

func (p *place) begin(run string, until map[int]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run, p.until = run, until
}

func (p *place) under() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// reached tells whether a partition that is read again has come to where it was.
func (p *place) reached(partition int, next int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, again := p.until[partition]
	return again && next >= until
}

func (p *place) done(partition int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, partition)
}
