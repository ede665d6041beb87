package consentpg_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// drawOutcomes are many outcomes of few decisions, in any order.
func drawOutcomes(r *rand.Rand, n int, now time.Time) []event.Outcome {
	kinds := []event.OutcomeKind{event.Pushed, event.Unchanged, event.Parked, event.Superseded}
	reasons := []reason.Code{"", reason.PersonUnknown, reason.SharedElsewhere}
	out := make([]event.Outcome, n)
	for i, sequence := range r.Perm(n) {
		decision := r.IntN(6)
		out[i] = event.Outcome{EventID: fmt.Sprint("event-", decision), Person: event.AsSent(tove.Root(), fmt.Sprint("19720517980", r.IntN(3))),
			Channel: contact.Channels[r.IntN(2)], Revision: int64(decision) * 10, Outcome: kinds[r.IntN(4)], Reason: reasons[r.IntN(3)],
			Sequence: int64(sequence / 2), Time: now}
		for range r.IntN(3) {
			out[i].Effects = append(out[i].Effects, []reason.Code{reason.PersonUnknown, "of a, later\" {version}", ""}[r.IntN(3)])
		}
		if r.IntN(3) == 0 {
			out[i].ProvedAt = new(now.Add(time.Duration(sequence) * time.Second))
		}
	}
	return out
}

// folded is all that Fold writes.
func (d *desk) folded() (rows []string) {
	d.t.Helper()
	for _, query := range []string{`select x::text from consent.outcome x`, `select c::text from consent.channel c`} {
		got, err := d.pool.Query(d.t.Context(), query)
		if err != nil {
			d.t.Fatal(err)
		}
		for got.Next() {
			var row string
			if err := got.Scan(&row); err != nil {
				d.t.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
	slices.Sort(rows)
	return rows
}

func TestOutcomesTogetherAreAsOneByOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			together, alone := newDesk(t), newDesk(t)
			outcomes := drawOutcomes(rand.New(rand.NewPCG(seed, 0)), 60, together.now)
			news := map[contact.PersonID]bool{}
			for some := range slices.Chunk(outcomes, 20) {
				got, err := together.store.Fold(t.Context(), some)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range got {
					news[p] = true
				}
			}
			wanted := map[contact.PersonID]bool{}
			for _, o := range outcomes {
				got, err := alone.store.Fold(t.Context(), []event.Outcome{o})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range got {
					wanted[p] = true
				}
			}
			if got, want := together.folded(), alone.folded(); !slices.Equal(got, want) || len(want) < 20 {
				t.Errorf("together:\n%s\none by one:\n%s", got, want)
			}
			if len(news) != len(wanted) {
				t.Errorf("news of %d persons, want %d", len(news), len(wanted))
			}
		})
	}
}
