package intake_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
)

// store takes 0.1 s for each transaction, and takes nothing of one partition.
type store struct {
	mu     sync.Mutex
	took   []int // batches in each transaction
	poison int
}

func (*store) Assigned(_ context.Context, _ string, a []stream.Assignment, _ map[int]int64) ([]int64, error) {
	return make([]int64, len(a)), nil
}
func (*store) Lost(context.Context, stream.Loss) error { return nil }

var errPoison = errors.New("cannot be taken")

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
