package intake_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
)

// store takes 0.1 s for each transaction, and takes nothing of one partition. While it is away it hears of no loss.
type store struct {
	mu     sync.Mutex
	took   []int // batches in each transaction
	poison int
	away   bool
}

func (*store) Gone(context.Context, string, []stream.Assignment, map[int]int64) ([]stream.Loss, error) {
	return nil, nil
}

func (*store) Assigned(_ context.Context, _ string, a []stream.Assignment, _ map[int]int64) ([]int64, error) {
	return make([]int64, len(a)), nil
}
func (s *store) Lost(context.Context, stream.Loss) error {
	if s.away {
		return errAway
	}
	return nil
}

var errPoison, errAway = errors.New("cannot be taken"), errors.New("away")

func (s *store) Take(_ context.Context, batches ...intake.Batch) error {
	<-time.After(100 * time.Millisecond)
	for _, b := range batches {
		if b.Partition == s.poison {
			return errPoison
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, len(batches))
	return nil
}

// What is wrong with one partition keeps no other one back, and no transaction gets too large.
func TestPartitionsAreTakenTogether(t *testing.T) {
	t.Parallel()
	for about, tt := range map[string]struct{ poison, records, transactions, mostBatches int }{
		"all can be":         {-1, 10, 2, 11},
		"one cannot":         {7, 10, 12, 1},
		"there are too many": {-1, 200, 8, 2},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &store{poison: tt.poison}
				in, err := intake.New(intake.Config{Store: s, Log: slog.New(slog.DiscardHandler), Now: time.Now, Counted: func(string, reason.Code) {}, Lost: func(stream.Loss) {}})
				if err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				for partition := range 12 {
					all.Go(func() {
						<-time.After(time.Duration(partition) * time.Millisecond)
						err := in.Handle(t.Context(), stream.Batch{Partition: partition, Records: make([]stream.Record, tt.records), Next: 1})
						if (partition == tt.poison) != errors.Is(err, errPoison) {
							t.Errorf("partition %d: %v", partition, err)
						}
					})
				}
				all.Wait()
				sum, most := 0, 0
				for _, n := range s.took {
					sum, most = sum+n, max(most, n)
				}
				if len(s.took) > tt.transactions || most > tt.mostBatches || tt.poison < 0 && sum != 12 {
					t.Errorf("transactions of %v batches", s.took)
				}
			})
		})
	}
}

// While the store is away each partition's loss is told of again and again: the alarm rings at the first time, and for what is lost in addition.
func TestEachLostRecordIsCountedOnce(t *testing.T) {
	t.Parallel()
	const partitions = 4
	var lost atomic.Int64
	var said bytes.Buffer
	s := &store{}
	in, err := intake.New(intake.Config{Store: s, Log: slog.New(slog.NewTextHandler(&said, nil)), Now: time.Now, Counted: func(string, reason.Code) {},
		Lost: func(l stream.Loss) { lost.Add(l.To - l.From) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		away              bool
		from, to          int64
		wantLost, wantSay int // so far, of one partition
	}{
		{true, 1, 8, 7, 1}, // before the store has it
		{true, 1, 8, 7, 1},
		{true, 1, 10, 9, 2},   // retention goes on
		{true, 20, 22, 11, 3}, // another worker had it meanwhile
		{false, 20, 22, 11, 3},
		{false, 20, 22, 13, 4}, // the store is one that was restored
	} {
		s.away = step.away
		var all sync.WaitGroup
		for partition := range partitions {
			all.Go(func() {
				err := in.Lost(t.Context(), stream.Loss{Topic: "decisions", Partition: partition, From: step.from, To: step.to})
				if step.away != errors.Is(err, errAway) {
					t.Errorf("step %d, partition %d: %v", i, partition, err)
				}
			})
		}
		all.Wait()
		if got, lines := int(lost.Load()), bytes.Count(said.Bytes(), []byte("deleted before")); got != partitions*step.wantLost || lines != partitions*step.wantSay {
			t.Errorf("step %d: %d records in %d lines, want %d in %d of each partition:\n%s", i, got, lines, step.wantLost, step.wantSay, &said)
		}
	}
}
