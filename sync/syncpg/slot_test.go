package syncpg_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

func TestDatabaseClockSetBackKeepsNoSlot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	slots := syncpg.NewSlots(d.pool, 1, time.Second)
	for range 2 {
		if _, _, err := slots.Take(t.Context()); err != nil { // the first one makes the slot
			t.Fatal(err)
		}
	}
	if _, err := d.pool.Exec(t.Context(), `update sync.call_slot set free_at = now() + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if slot, wait, err := slots.Take(t.Context()); slot.Number != 1 || err != nil {
		t.Errorf("none is free for %v, %v", wait, err)
	}
}

// Two workers share the calls, however long each is on its way.
func TestTwoWorkersMakeNoMoreCallsThanOneMay(t *testing.T) {
	t.Parallel()
	const allowed, each = 20, 25
	d := newDesk(t)
	var mu sync.Mutex
	var arrived []time.Time
	var calls sync.WaitGroup
	for range 2 {
		a := push.NewAllowance(syncpg.NewSlots(d.pool, allowed, 30*time.Second), func(time.Duration) {})
		for range each {
			calls.Go(func() {
				give, err := a.Take(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				<-time.After(rand.N(100 * time.Millisecond))
				mu.Lock()
				arrived = append(arrived, time.Now())
				mu.Unlock()
				<-time.After(rand.N(100 * time.Millisecond))
				give()
			})
		}
	}
	calls.Wait()
	slices.SortFunc(arrived, time.Time.Compare)
	for i := allowed; i < len(arrived); i++ {
		if within := arrived[i].Sub(arrived[i-allowed]); within < time.Second {
			t.Fatalf("%d calls within %v", allowed+1, within)
		}
	}
}

// A worker that was stopped for longer than a slot lasts gives back what is another's by now.
func TestSlotThatRanOutIsNotGivenBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	take := func(s *syncpg.Slots) push.Slot {
		t.Helper()
		for {
			slot, wait, err := s.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if slot.Number != 0 {
				return slot
			}
			<-time.After(wait)
		}
	}
	stopped, other := syncpg.NewSlots(d.pool, 1, -1900*time.Millisecond), syncpg.NewSlots(d.pool, 1, 50*time.Second) // 0.1 s, and a minute
	late := take(stopped)
	take(other)
	if err := stopped.Give(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	var left float64
	if err := d.pool.QueryRow(t.Context(), `select extract(epoch from free_at - now())::float8 from sync.call_slot`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if left < 30 {
		t.Errorf("the other's slot is free in %.0f s, while its call may take a minute", left)
	}
}
