package bench

import (
	"context"
	"sync"
	"time"
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

// signalAt is given when the one thing that it counts is there so often.
type signalAt struct {
	*signal
	wanted int64 // written before anything is counted; 0: never
}

func newSignalAt() signalAt { return signalAt{signal: newSignal()} }

func (s signalAt) count(n int64, at time.Time) {
	if n == s.wanted {
		s.give(at)
	}
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
