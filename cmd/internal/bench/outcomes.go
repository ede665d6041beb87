package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
)

// outcomes reads what is told of each decision. It implements stream.Handler.
type outcomes struct {
	ready, all *signal  // the partitions are assigned; each decision has an outcome
	warmed     signalAt // so many have one

	mu     sync.Mutex
	seen   []uint64 // a bit for each decision
	have   int64    // decisions with an outcome
	left   int
	parked reason.Code // of some decision: none of ours may be
	odd    int         // about no decision of ours
}

func newOutcomes(decisions int) *outcomes {
	return &outcomes{ready: newSignal(), all: newSignal(), warmed: newSignalAt(), seen: make([]uint64, (decisions+63)/64), left: decisions}
}

// Assigned implements stream.Handler: the topic is ours alone, and read from its start.
func (o *outcomes) Assigned(_ context.Context, _ string, assigned []stream.Assignment, _ map[int]int64) ([]int64, error) {
	starts := make([]int64, len(assigned))
	for i, a := range assigned {
		starts[i] = a.LogStart
	}
	o.ready.give(time.Now())
	return starts, nil
}

// Handle implements stream.Handler.
func (o *outcomes) Handle(_ context.Context, b stream.Batch) error {
	now := time.Now()
	for _, r := range b.Records {
		told, err := event.ReadOutcome(r.Headers, r.Value)
		if err != nil {
			return err
		}
		o.note(told, now)
	}
	return nil
}

// Lost implements stream.Handler. What is lost shows: a decision stays without outcome.
func (o *outcomes) Lost(context.Context, stream.Loss) error { return nil }

func (o *outcomes) note(told event.Outcome, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.HasPrefix(told.EventID, leavesPrefix) {
		return
	}
	i, ok := numberOf(told.EventID)
	if !ok || i >= 64*len(o.seen) {
		o.odd++
		return
	}
	if told.Outcome == event.Parked {
		o.parked = told.Reason
	}
	word, bit := &o.seen[i/64], uint64(1)<<(i%64)
	if *word&bit != 0 {
		return
	}
	*word |= bit
	o.have++
	o.warmed.count(o.have, now)
	if o.left--; o.left == 0 {
		o.all.give(now)
	}
}

// told is how many decisions have an outcome so far.
func (o *outcomes) told(decisions int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return decisions - o.left
}

func (o *outcomes) verify() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.odd > 0:
		return fmt.Errorf("%d outcomes are about decisions that nobody made", o.odd)
	case o.parked != "":
		return fmt.Errorf("a decision was parked: %s", o.parked)
	}
	return nil
}
