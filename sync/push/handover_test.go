package push_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/intake"
	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

// handsOver is a world whose store hands over what it takes in, and where nobody is due.
func handsOver(t *testing.T, configure func(*push.Config)) *world {
	t.Helper()
	w := newWorld(t, configure)
	w.store.Pusher = w.pusher
	w.pusher.CatchUp(t.Context())
	return w
}

func (w *world) count(sql string) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), sql).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestWhatIsTakenInIsPushedWithoutAClaim(t *testing.T) {
	t.Parallel()
	w := handsOver(t, nil)
	w.shares("empty", 1)
	w.pusher.Ended()
	w.wantMobiles("empty", numberOf(1).Reveal())
	w.wantOutcomes(1, "pushed")
	w.withdraws("empty", 2)
	w.pusher.Ended()
	w.wantMobiles("empty", "")
	w.wantOutcomes(2, "pushed")
	if n := w.count(`select count(*) from sync.due`); n != 0 || w.proves() != 1 {
		t.Errorf("%d are still due, and the removal is to be looked for", n)
	}
}

// Of the records of all numbers a withdrawal is handed over with each.
func TestAWithdrawalIsHandedOverForAllNumbers(t *testing.T) {
	t.Parallel()
	w := handsOver(t, nil)
	w.shares(newNumber, 1)
	w.pusher.Ended()
	w.withdraws(oldNumber, 2)
	w.pusher.Ended()
	w.asks()
	w.pushes()
	w.shares(newNumber, 3)
	w.pusher.Ended()
	w.wantMobiles(newNumber, numberOf(3).Reveal())
	w.copies("empty", newNumber) // nothing to remove there
	w.copies("both_channels", oldNumber)
	w.withdraws(newNumber, 4)
	w.pusher.Ended()
	w.wantMobiles(oldNumber, "")
	w.wantOutcomes(4, "pushed")
}

// A read that is older than the last write shows no entry, and proves nothing.
func TestAnOldReadIsNotBelievedAfterAHandover(t *testing.T) {
	t.Parallel()
	w := handsOver(t, func(c *push.Config) { c.ReadLag = 3 * time.Second })
	w.shares("empty", 1)
	w.pusher.Ended()
	before := w.network.lastRead
	w.network.replay = before
	w.withdraws("empty", 2)
	w.pusher.Ended()
	w.wantOutcomes(2)
	w.wantMobiles("empty", numberOf(1).Reveal())
}

// A person of whom a write may still land is written to even if the read shows that there is nothing to do.
func TestADoubtIsHandedOver(t *testing.T) {
	t.Parallel()
	w := handsOver(t, nil)
	w.shares("empty", 1)
	w.pusher.Ended()
	w.withdraws("empty", 2)
	w.pusher.Ended()
	before := w.network.updates()
	w.count(`with doubt as (update sync.person set unsure = true returning 1) select count(*) from doubt`)
	w.withdraws("empty", 3) // the register shows nothing any more
	w.pusher.Ended()
	w.wantOutcomes(3, "unchanged")
	if w.network.updates() != before+1 {
		t.Error("the version was not burnt")
	}
}

// everybody shares, in one batch.
func (w *world) everybody(states ...string) { w.everybodyFrom(1, states...) }

func (w *world) everybodyFrom(revision int64, states ...string) {
	w.t.Helper()
	var entries []intake.Entry
	for i, state := range states {
		entries = append(entries, w.entry(state, revision+int64(i), true))
	}
	w.takes(entries...)
}

var five = []string{"empty", "both_channels", "staff_entries", "paper_opt_out", "contact_persons"}

// A quarter of the places is kept for withdrawals. Who is left behind goes before whoever comes later.
func TestThereAreNoMorePlacesThanThereAre(t *testing.T) {
	t.Parallel()
	w := handsOver(t, func(c *push.Config) { c.Concurrency = 4 })
	w.network.mu.Lock() // nobody gets through
	w.everybody(five[:4]...)
	leased := w.count(`select count(*) from sync.due where lease is not null`)
	w.withdraws(newNumber, 9)
	urgent := w.count(`select count(*) from sync.due where urgent and lease is not null`)
	w.network.mu.Unlock()
	w.pusher.Ended()
	if leased != 3 || urgent != 0 {
		t.Errorf("%d shares and %d withdrawals were handed over, want 3 and none", leased, urgent)
	}
	w.shares(five[4], 5)
	if n := w.count(`select count(*) from sync.due where lease is not null`); n != 0 {
		t.Errorf("%d were handed over before who was there first", n)
	}
	for w.pushes() > 0 {
	}
	w.shares(five[0], 20) // nobody is left behind any more
	w.pusher.Ended()
	w.wantOutcomes(20, "pushed")
}

// handedOver counts.
type handedOver struct {
	syncpg.Pusher
	claims int
}

func (h *handedOver) HandOver(ctx context.Context, r push.Reservation, claims []push.Claim) {
	h.claims += len(claims)
	h.Pusher.HandOver(ctx, r, claims)
}

func TestNoShareIsHandedOverBeforeTheGate(t *testing.T) {
	t.Parallel()
	w, _ := readsTogether(t)
	handed := &handedOver{Pusher: w.pusher}
	w.store.Pusher = handed
	w.assign(0, 3)
	w.shares("empty", 1)
	w.pusher.Ended()
	if len(w.network.seen) > 0 {
		t.Errorf("the register was asked in vain: %v", w.network.seen)
	}
	w.withdraws("both_channels", 2)
	w.pusher.Ended()
	w.wantOutcomes(1)
	w.wantOutcomes(2, "pushed")
	if handed.claims != 1 || w.count(`select count(*) from sync.due where lease is null`) != 1 {
		t.Errorf("%d were handed over", handed.claims)
	}
	w.shares("staff_entries", 3) // the gate is open
	w.pusher.Ended()
	w.wantOutcomes(3, "pushed")
}

// A withdrawal is handed over before the gate is open. A share of the same person's other channel is not carried out beside it.
func TestShareBesideAWithdrawalWaitsForTheGate(t *testing.T) {
	t.Parallel()
	w := handsOver(t, nil)
	w.assign(0, 3)
	share := w.entry("both_channels", 2, true)
	share.Decision.Channel, share.Event.Share.Value = contact.Email, contact.KnownValue("vera@example.org")
	w.takes(w.entry("both_channels", 1, false), share)
	w.pusher.Ended()
	w.wantOutcomes(1, "pushed")
	w.wantOutcomes(2)
	w.shares("staff_entries", 3) // the gate is open
	w.pushes()
	w.pusher.Ended()
	w.wantOutcomes(2, "pushed")
}

// Places that a transaction was to fill come back if it fails, or if nobody knows how it ended.
func TestPlacesComeBack(t *testing.T) {
	t.Parallel()
	r := &records{}
	w := handsOver(t, func(c *push.Config) { c.Concurrency, c.Records = 4, r })
	r.next = w.ahead
	for _, statement := range []string{
		`create function fails() returns trigger language plpgsql as $$ begin raise exception 'at commit'; end $$`,
		`create constraint trigger fails after insert on sync.due deferrable initially deferred for each row execute function fails()`,
	} {
		if _, err := w.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if w.take(w.entry("empty", 1, true), w.entry("both_channels", 2, false)) == nil {
			t.Fatal("the transaction did not fail")
		}
		w.offset = 0
	}
	w.pusher.Ended()
	if n := w.pusher.Early(); n != 0 || w.network.seen[readCall] == 0 {
		t.Errorf("%d records are kept of nobody's claim, of %d that were read", n, w.network.seen[readCall])
	}
	if got := w.pusher.Reserve(t.Context(), persons(4), true).Places; got != 4 {
		t.Errorf("there are %d places", got)
	}
}

func TestWhoWaitsInTheQueueIsNotHandedOver(t *testing.T) {
	t.Parallel()
	w := handsOver(t, nil)
	w.store.Pusher = nil
	w.shares("empty", 1)
	w.store.Pusher = w.pusher
	w.withdraws("empty", 2)
	w.pusher.Ended()
	w.wantOutcomes(2)
	if w.pushes() != 1 {
		t.Error("and nobody is due")
	}
	w.wantOutcomes(2, "unchanged")
}

// What is decided during a push is pushed after it, though nobody looks for it meanwhile.
func TestWhatComesDuringAPushIsNotLeftLying(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *push.Config) { c.Poll = time.Hour })
	w.store.Pusher = w.pusher
	w.network.beforePut = func() { w.withdraws("empty", 2) }
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	var running sync.WaitGroup
	running.Go(func() { w.pusher.Run(ctx) })
	w.shares("empty", 1)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(w.outcomes(2)) == 0 && ctx.Err() == nil {
		<-tick.C
	}
	stop()
	running.Wait()
	w.wantMobiles("empty", "")
}

// idle is a store where nobody is due.
type idle struct{ push.Store }

func (idle) Claim(context.Context, int, bool, bool) ([]push.Claim, error) { return nil, nil }

func (idle) UnderWay(context.Context, int) (int, error) { return 0, nil }
func (idle) Hasten(context.Context) error               { return nil }

func newIdle(t *testing.T) *push.Pusher {
	t.Helper()
	p, err := push.New(push.Config{Store: idle{}, Register: struct{ push.Register }{}, Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func persons(n int) []contact.PersonID { return make([]contact.PersonID, n) }

// A withdrawal that was tried in vain while the register was away may wait for its next attempt. After a second absence within ten seconds that
// is cut short later, and not never.
func TestNobodyIsHandedOverBeforeThoseWhomAnOutagePutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newIdle(t)
		p.CatchUp(t.Context())
		p.Returns()
		var got []int
		for _, later := range []time.Duration{0, 9 * time.Second, time.Second} {
			<-time.After(later)
			p.Round(t.Context())
			r := p.Reserve(t.Context(), persons(1), false)
			p.HandOver(t.Context(), r, nil)
			got = append(got, r.Places)
		}
		if want := []int{0, 0, 1}; !slices.Equal(got, want) {
			t.Errorf("%d places at once, after 9 and after 10 seconds, want %d", got, want)
		}
	})
}

// Beside a crowd of withdrawals no crowd of shares is handed over.
func TestFewSharesAreHandedOverBesideManyWithdrawals(t *testing.T) {
	t.Parallel()
	p := newIdle(t)
	p.CatchUp(t.Context())
	p.Widen(100)
	for _, step := range []struct{ withdrawals, places int }{{16, 10}, {1, 0}} {
		if got := p.Reserve(t.Context(), persons(step.withdrawals), true).Places; got != step.withdrawals {
			t.Fatalf("%d places for withdrawals, want %d", got, step.withdrawals)
		}
		if got := p.Reserve(t.Context(), persons(10), false).Places; got != step.places {
			t.Errorf("%d places for shares, want %d", got, step.places)
		}
		p.LeftNobody()
	}
}

// Who has reserved places is waited for, and then there are none any more.
func TestAReservationKeepsThePusherRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newIdle(t)
		if got := p.Reserve(t.Context(), persons(1), true).Places; got != 0 {
			t.Errorf("%d places before it runs", got)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := false
		var running sync.WaitGroup
		running.Go(func() { p.Run(ctx); ended = true })
		synctest.Wait()
		reserved := p.Reserve(ctx, persons(3), false)
		if reserved.Places != 3 {
			t.Errorf("%d places", reserved.Places)
		}
		stop()
		synctest.Wait()
		if ended || p.Reserve(ctx, persons(1), true).Places != 0 {
			t.Error("it ended under a reservation, or takes more on")
		}
		p.HandOver(ctx, reserved, nil)
		running.Wait()
	})
}

// readCall is the call for one record.
const readCall = "GetPersonContactInformationUnrestricted"

// records counts the calls for many records.
type records struct {
	next  push.Records
	calls int
	fault error
	none  bool // none of them is to be had so
}

func (r *records) Records(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]push.Reading, error) {
	r.calls++
	if r.fault != nil || r.none {
		return nil, r.fault
	}
	return r.next.Records(ctx, ids)
}

// readsTogether is a world whose pusher can read many records in one call.
func readsTogether(t *testing.T) (*world, *records) {
	t.Helper()
	r := &records{}
	w := handsOver(t, func(c *push.Config) { c.Records = r })
	r.next = w.ahead
	return w, r
}

func TestRecordsOfThoseWhoComeTogetherAreReadTogether(t *testing.T) {
	t.Parallel()
	w, r := readsTogether(t)
	four := five[:4] // the fifth record has elements that a profile does not tell of
	w.everybody(four...)
	w.pusher.Ended()
	for i, state := range four {
		w.wantMobiles(state, numberOf(int64(i+1)).Reveal())
	}
	if alone := w.network.seen[readCall]; r.calls != 1 || alone != 0 {
		t.Errorf("%d calls for many records and %d for one each, want 1 and none", r.calls, alone)
	}
	w.shares(five[0], 6)
	w.pusher.Ended()
	w.wantMobiles(five[0], numberOf(6).Reveal())
	if alone := w.network.seen[readCall]; r.calls != 1 || alone != 1 {
		t.Errorf("%d calls for many records and %d for one each, want 1 and 1: who comes alone is read alone", r.calls, alone)
	}
}

// meanwhile does something between a reservation, when the records have been read, and the handover.
type meanwhile struct {
	syncpg.Pusher
	do func()
}

func (m *meanwhile) HandOver(ctx context.Context, r push.Reservation, claims []push.Claim) {
	if r.Places > 0 {
		<-r.Foreseen()
		m.do()
	}
	m.Pusher.HandOver(ctx, r, claims)
}

// The record is read while the decision is made durable. Somebody else writes before that is over: the update goes into what stands there then.
func TestARecordIsForeseenWhileTheTransactionRuns(t *testing.T) {
	t.Parallel()
	w, _ := readsTogether(t)
	w.store.Pusher = &meanwhile{w.pusher, func() {
		if reads := w.network.seen[readCall]; reads != 1 {
			t.Errorf("%d reads before the handover", reads)
		}
		w.count(`with changed as (update register.persons set version = (version::bigint + 1)::text, own_version = '' returning 1) select count(*) from changed`)
	}}
	w.shares("empty", 1)
	w.pusher.Ended()
	w.wantMobiles("empty", numberOf(1).Reveal())
	if reads, updates := w.network.seen[readCall], w.network.updates(); reads != 2 || updates != 2 {
		t.Errorf("%d reads and %d updates, want a second of each", reads, updates)
	}
}

// Two whom the register does not know keep nobody else's records from being read together.
func TestAFewWhoseRecordsAreNotToBeHadPauseNothing(t *testing.T) {
	t.Parallel()
	w, r := readsTogether(t)
	r.none = true
	w.everybody(five[:2]...)
	w.pusher.Ended()
	r.none = false
	w.everybodyFrom(11, five[:2]...)
	w.pusher.Ended()
	if alone := w.network.seen[readCall]; r.calls != 2 || alone != 2 {
		t.Errorf("%d calls for many records and %d for one each, want 2 and 2", r.calls, alone)
	}
}

func TestRecordsThatCannotBeReadTogetherAreReadOneByOne(t *testing.T) {
	t.Parallel()
	w, r := readsTogether(t)
	r.fault = errNetwork
	for _, revision := range []int64{1, 11} {
		w.everybodyFrom(revision, five...)
		w.pusher.Ended()
	}
	if alone := w.network.seen[readCall]; r.calls != 1 || alone != 10 {
		t.Errorf("%d calls for many records and %d for one each, want 1 and 10: it is not tried again at once", r.calls, alone)
	}
}

// Nobody is worked on until the first records are there: they are few.
func TestTheFirstRecordsAheadAreFew(t *testing.T) {
	t.Parallel()
	got := push.SizesAhead(nil, nil, errNetwork, nil, nil, nil)
	if want := []int{64, 128, 256, 256, push.MostProfiles, push.MostProfiles}; !slices.Equal(got, want) {
		t.Errorf("%v records, want %v", got, want)
	}
}
