package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/consent/reason"
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

func TestEachPartOfTheBacklogIsAMetric(t *testing.T) {
	t.Parallel()
	b := newBacklog(nil)
	b.count = func(context.Context) (syncpg.Backlog, error) {
		return syncpg.Backlog{Withdrawals: syncpg.Waiting{Persons: 1, Oldest: 2 * time.Second}, Shares: syncpg.Waiting{Persons: 3, Oldest: 4 * time.Second},
			Parked: map[reason.Code]int64{reason.PersonUnknown: 5}, Outbox: 6, Questions: 7, Unproved: syncpg.Waiting{Persons: 8, Oldest: 9 * time.Second}}, nil
	}
	metrics := prometheus.NewPedanticRegistry()
	metrics.MustRegister(b)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			if value := m.GetGauge().GetValue(); value > 0 {
				got[name] = value
			}
		}
	}
	want := map[string]float64{
		"contactsync_due decision=withdraw": 1, "contactsync_oldest_unapplied_seconds decision=withdraw": 2,
		"contactsync_due decision=share": 3, "contactsync_oldest_unapplied_seconds decision=share": 4,
		"contactsync_parked reason=person_unknown": 5, "contactsync_outbox schema=sync": 6, "contactsync_questions": 7,
		"contactsync_unproved": 8, "contactsync_oldest_unproved_seconds": 9,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
