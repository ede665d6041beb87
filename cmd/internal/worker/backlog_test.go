package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/sync/syncpg"
)

// A long backlog takes seconds to count. It is not counted anew all the time, and a count that failed stands for nothing.
func TestBacklogIsCountedNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		counted, fails := int64(0), false
		b := &backlog{count: func(context.Context) (syncpg.Backlog, error) {
			<-time.After(time.Second)
			if fails {
				return syncpg.Backlog{}, errors.New("away")
			}
			counted++
			return syncpg.Backlog{Outbox: counted}, nil
		}}
		look := func(after time.Duration, want int64) {
			t.Helper()
			<-time.After(after)
			if got, err := b.look(); got.Outbox != want || (want == 0) != (err != nil) {
				t.Errorf("after %v: %d, %v; want %d", after, got.Outbox, err, want)
			}
		}
		look(0, 1)
		look(9*time.Second, 1)
		look(2*time.Second, 2)
		fails = true
		look(20*time.Second, 0)
		fails = false
		look(0, 3)
	})
}
