package syncpg_test

import (
	"slices"
	"sync"
	"testing"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/intake"
	"contactsync/sync/push"
)

// Results come in the order in which attempts end, decisions in that of persons. Where they are about different channels they meet in the
// queue only, and must lock it alike.
func TestResultsAndDecisionsDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for round := range int64(40) {
		if err := d.store.Take(t.Context(), freshShares(2*round*shareBatch)); err != nil {
			t.Fatal(err)
		}
		claims, err := d.store.Claim(t.Context(), shareBatch, false, true)
		if err != nil || len(claims) != shareBatch {
			t.Fatalf("%d claims, %v", len(claims), err)
		}
		var ended []push.Ended
		for _, c := range claims {
			ended = append(ended, push.Ended{Claim: c, Result: push.Result{
				Settled: []push.Settled{{Target: c.Targets[0], Outcome: event.Pushed, Version: "20261123120000"}}}})
		}
		slices.SortFunc(ended, func(a, b push.Ended) int { return int(b.Claim.ID - a.Claim.ID) })
		var both sync.WaitGroup
		var took, finished error
		both.Go(func() { took = d.store.Take(t.Context(), onTheOtherChannel(freshShares(2*round*shareBatch))) })
		both.Go(func() {
			for some := range slices.Chunk(ended, shareBatch/10) { // while the decisions come
				if _, err := d.store.Finish(t.Context(), some); err != nil {
					finished = err
				}
			}
		})
		both.Wait()
		if took != nil || finished != nil {
			t.Fatalf("round %d: decisions %v, results %v", round, took, finished)
		}
		if _, err := d.pool.Exec(t.Context(), `delete from sync.due`); err != nil {
			t.Fatal(err)
		}
	}
}

func onTheOtherChannel(batch intake.Batch) intake.Batch {
	for i := range batch.Entries {
		e := &batch.Entries[i]
		e.Offset, e.Decision.Channel = e.Offset+shareBatch, contact.Email
	}
	batch.Next += shareBatch
	return batch
}

// The queue's row is all that tells of it: the row of the channel that was pushed is as it was.
func TestWithdrawalOnTheOtherChannelDuringAPush(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	no := decision(false, 2)
	no.Channel = contact.Email
	d.receives(record(no))
	if d.one(`select more::text from sync.due`) != "true" {
		t.Error("a worker of the version before would take the person out of the queue")
	}
	d.finishes(claim, pushed(claim))
	d.wantTold("1 pushed")
	next := d.claims(true)
	if len(next) != 1 || len(next[0].Targets) != 1 || next[0].Targets[0].Channel != contact.Email {
		t.Errorf("due next: %v", next)
	}
}

// Whoever has written the channel's row since the claim, and whatever: the result is not written over it unread.
func TestAChannelRowThatChangedDuringAPush(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	claim := d.claims(false)[0]
	d.sql(`update sync.channel set changed_at = now()`)
	d.finishes(claim, pushed(claim))
	d.wantTold("1 pushed")
	if got := d.one(`select (settled <> '')::text || ' ' || (select count(*) from sync.due) from sync.channel`); got != "true 0" {
		t.Errorf("settled and still due: %s", got)
	}
}
