package syncpg_test

import (
	"fmt"
	"testing"
	"time"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgtest"
	"contactsync/consent/stream"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

const shareBatch = 500

// BenchmarkStore takes shares of persons who are new, claims them and records that they are pushed, one call after the other, and tells
// what each of the three costs a decision:
//
//	go test ./sync/syncpg -run '^$' -bench Store -benchtime 100x
func BenchmarkStore(b *testing.B) {
	store, err := syncpg.New(syncpg.Config{Pool: pgtest.Migrated(b, "sync", syncpg.Migrate), Source: "urn:hsaid:SE2321000016-CSW1",
		Pepper: []byte("test"), AuditKey: audit.DevelopmentKey()})
	if err != nil {
		b.Fatal(err)
	}
	_, err = store.Assigned(b.Context(), event.TopicDecisions, []stream.Assignment{{}}, map[int]int64{0: 0})
	if err != nil {
		b.Fatal(err)
	}
	var took [3]time.Duration
	timed := func(phase int, do func() error) {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		took[phase] += time.Since(began)
	}
	for n := int64(0); b.Loop(); n++ {
		batch := freshShares(n * shareBatch)
		timed(0, func() error { return store.Take(b.Context(), batch) })
		var claims []push.Claim
		timed(1, func() (err error) {
			claims, err = store.Claim(b.Context(), shareBatch, false, true)
			return err
		})
		ended := make([]push.Ended, len(claims))
		for i, c := range claims {
			ended[i] = push.Ended{Claim: c, Result: push.Result{Written: push.Written{Version: "20261123120000"},
				Settled: []push.Settled{{Target: c.Targets[0], Outcome: event.Pushed, Version: "20261123120000"}}}}
		}
		timed(2, func() error {
			lost, err := store.Finish(b.Context(), ended)
			if len(ended) != shareBatch || len(lost) > 0 {
				return fmt.Errorf("%d claims, %d lost, %w", len(ended), len(lost), err)
			}
			return err
		})
	}
	for phase, name := range []string{"take", "claim", "finish"} {
		b.ReportMetric(float64(took[phase].Microseconds())/float64(b.N*shareBatch), name+"-µs/decision")
	}
}

// freshShares are of persons whose numbers begin at from.
func freshShares(from int64) intake.Batch {
	batch := intake.Batch{Topic: event.TopicDecisions, Next: from + shareBatch}
	for i := from; i < from+shareBatch; i++ {
		d := decision(true, i+1)
		d.Person = contact.KnownPersonID(contact.RootPersonnummer, fmt.Sprintf("%012d", 190000000000+i*7919%10_000_000_000))
		batch.Entries = append(batch.Entries, intake.Entry{Offset: i, Decision: d, Person: event.AsSent(d.Person.Root(), d.Person.RevealExtension()),
			Event: plan.Event{Share: &plan.Share{Revision: d.Revision, EventID: d.EventID, Source: d.Source, Value: d.Value, DecidedAt: d.DecidedAt}}})
	}
	return batch
}
