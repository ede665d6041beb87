package bench

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// signal is given once, at a time that is kept.
type signal struct {
	once sync.Once
	c    chan struct{}
	at   time.Time // read after c is closed
}

func newSignal() *signal { return &signal{c: make(chan struct{})} }

func (s *signal) give(at time.Time) {
	s.once.Do(func() {
		s.at = at
		close(s.c)
	})
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inParallel asks for each number below n, some at a time, and counts how often the answer was yes.
func inParallel(n int, ask func(int) (bool, error)) (yes int, err error) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error {
			answer, err := ask(i)
			if answer {
				mu.Lock()
				defer mu.Unlock()
				yes++
			}
			return err
		})
	}
	err = group.Wait()
	return yes, err
}
