package mockregister

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

// slowDisk takes statements when it is told to.
type slowDisk struct {
	begun chan int   // rows of a statement that has begun
	ends  chan error // how it ends
}

func newSlowDisk() (*groupCommit[accessRow], slowDisk) {
	d := slowDisk{make(chan int), make(chan error)}
	return &groupCommit[accessRow]{most: maxCommit, write: func(_ context.Context, rows []accessRow) error {
		d.begun <- len(rows)
		return <-d.ends
	}}, d
}

func TestWhatWaitsIsWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, disk := newSlowDisk()
		var calls sync.WaitGroup
		call := func(rows int) {
			calls.Go(func() {
				if err := g.commit(t.Context(), make(accessRows, rows)...); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		call(1)
		if n := <-disk.begun; n != 1 {
			t.Errorf("the first statement has %d rows", n)
		}
		for range 50 {
			call(1)
		}
		call(1000)
		disk.ends <- nil
		if n := <-disk.begun; n != 1050 {
			t.Errorf("the second statement has %d rows, want all that waited", n)
		}
		call(maxCommit + 500) // more than a statement has, and it goes alone
		call(7)
		disk.ends <- nil
		for _, want := range []int{maxCommit + 500, 7} {
			if n := <-disk.begun; n != want {
				t.Errorf("a statement has %d rows, want %d", n, want)
			}
			disk.ends <- nil
		}
		calls.Wait()
		if err := g.wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestEveryCallLearnsOfTheFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, disk := newSlowDisk()
		broken := errors.New("the disk is full")
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() {
				if err := g.commit(t.Context(), make(accessRows, 1)...); !errors.Is(err, broken) {
					t.Errorf("error %v", err)
				}
			})
			synctest.Wait()
		}
		for range 2 {
			<-disk.begun
			disk.ends <- broken
		}
		calls.Wait()
	})
}

func TestWaitingRowsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, disk := newSlowDisk()
		var calls sync.WaitGroup
		for _, rows := range []int{1, maxWaiting} {
			calls.Go(func() { _ = g.commit(t.Context(), make(accessRows, rows)...) })
			synctest.Wait()
		}
		if err := g.commit(t.Context(), make(accessRows, 1)...); !errors.Is(err, errBusy) {
			t.Errorf("error %v, want errBusy", err)
		}
		for range 2 {
			<-disk.begun
			disk.ends <- nil
		}
		calls.Wait()
	})
}

// TestCallerThatLeaves does not take along what others wait for, and its own entry is written all the same.
func TestCallerThatLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, disk := newSlowDisk()
		ctx, leave := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() {
			if err := g.commit(ctx, make(accessRows, 1)...); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
		synctest.Wait()
		leave()
		calls.Wait()
		waiting, giveUp := context.WithCancel(t.Context())
		giveUp()
		if err := g.wait(waiting); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: %v, while a statement is under way", err)
		}
		if n := <-disk.begun; n != 1 {
			t.Errorf("%d rows", n)
		}
		disk.ends <- nil
		if err := g.wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestNothingRunsWhenNothingIsWritten looks for goroutines.
func TestNothingRunsWhenNothingIsWritten(t *testing.T) {
	before := goleak.IgnoreCurrent()
	g := &groupCommit[accessRow]{most: maxCommit, write: func(context.Context, []accessRow) error { return nil }}
	atOnce(100, func() {
		if err := g.commit(t.Context(), make(accessRows, 3)...); err != nil {
			t.Error(err)
		}
	})
	if err := g.wait(t.Context()); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}
