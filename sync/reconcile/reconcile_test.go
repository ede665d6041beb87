package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/contracts/mockregister"
	"contactsync/sync/push"
	"contactsync/sync/reconcile"
	"contactsync/sync/syncpg"
)

func TestNothingDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.works()
	w.shares(tove, 1)
	w.withdraws(bodil, 2)
	w.settles()
	r := w.reconciles(fixes)
	w.want(r, "")
	if r.Left() != 0 || r.Run.Persons != 2 || r.Run.Calls != 2 || r.Ended.Before(r.Run.Begun) {
		t.Errorf("%+v", r)
	}
}

// A No that is still present is healed whoever put it back, and by the push: with outcome and audit.
func TestNoThatIsStillPresent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.withdraws(bodil, 1)
	w.settles()
	w.clinicSets(bodil, "+46701740699")
	w.want(w.reconciles(onlyReport), "present_after_no: 1 reported")
	w.wantMobiles(bodil, "+46701740699")

	s := fixes
	s.change = func(c *reconcile.Config) { c.MaxChanges = 0 } // a No is not held back
	r := w.reconciles(s)
	w.want(r, "present_after_no: 1 healed")
	w.wantMobiles(bodil, "")
	if r.Left() != 0 || r.Run.Changes != 0 || len(r.Cases) != 1 {
		t.Errorf("%+v", r)
	}
	if c := r.Cases[0]; c.Pseudonym != event.Key([]byte("test"), w.persons[bodil]) || c.Channel != contact.Mobile {
		t.Errorf("case %+v", c)
	}
	if n := w.count(`select count(*) from sync.outbox where topic = $1`, event.TopicOutcomes); n != 2 {
		t.Errorf("%d outcomes, want that of the decision and that of its repair", n)
	}
	actions := ""
	if err := w.pool.QueryRow(t.Context(), `select string_agg(action || ' ' || ground || ' ' || outcome, ', ' order by id) from sync.audit`).Scan(&actions); err != nil {
		t.Fatal(err)
	}
	const id = "00000000-0000-4000-8000-000000000001"
	if want := "register.withdraw " + id + " pushed, reconcile.heal " + id + " present_after_no, register.withdraw " + id + " pushed"; actions != want {
		t.Errorf("the audit says %q", actions)
	}
	w.want(w.reconciles(onlyReport), "")
}

func TestMissingShareIsRestoredOnlyWhereNobodyElseWrote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.works()
	for revision, state := range []string{tove, bodil, kim} {
		w.shares(state, int64(revision+1))
	}
	w.settles()
	w.loses(tove)
	w.clinicSets(bodil, "")
	w.clinicSets(kim, "+46701740699")
	w.want(w.reconciles(onlyReport), "share_missing: 2 reported; value_differs: 1 reported")

	r := w.reconciles(fixes)
	w.want(r, "share_missing: 1 foreign, 1 healed; value_differs: 1 foreign")
	if r.Left() != 2 || r.Run.Changes != 1 {
		t.Errorf("%d left, %d changes", r.Left(), r.Run.Changes)
	}
	w.wantMobiles(tove, "+46701740601")
	w.wantMobiles(bodil, "")
	w.wantMobiles(kim, "+46701740699")

	w.want(w.reconciles(restores), "share_missing: 1 healed; value_differs: 1 healed")
	w.wantMobiles(bodil, "+46701740602")
	w.wantMobiles(kim, "+46701740603")
}

// The safety stop holds shares, and no No: all of those are found and healed behind it.
func TestSafetyStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.works()
	for revision, state := range []string{tove, kim, "many_names"} {
		w.shares(state, int64(revision+1))
	}
	w.withdraws(bodil, 4)
	w.withdraws("staff_entries", 5)
	w.settles()
	for _, state := range []string{tove, kim, "many_names"} {
		w.clinicSets(state, "")
	}
	for _, state := range []string{bodil, "staff_entries"} {
		w.clinicSets(state, "+46701740699")
	}
	s := restores
	s.change = func(c *reconcile.Config) { c.MaxChanges = 2 }
	r := w.reconciles(s)
	w.want(r, "present_after_no: 2 healed; share_missing: 1 held, 2 healed")
	if r.Left() != 1 || r.Cases[0].Status != reconcile.Held {
		t.Errorf("%+v", r)
	}
}

// A protected person's No is looked after as anybody's: the Unrestricted contract tells.
func TestProtectedPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.withdraws(hidden, 1)
	w.settles()
	w.clinicSets(hidden, "+46701740699")
	w.want(w.reconciles(fixes), "present_after_no: 1 healed")
	w.wantMobiles(hidden, "")
}

// What the register refuses to take back stays a difference, and says so.
func TestShareThatTheRegisterWillNotTakeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.works()
	w.shares(kim, 1)
	w.settles()
	w.loses(kim)
	w.exec(`update register.persons set deceased = true, deregistration = 'AV' where extension = $1`, w.persons[kim].RevealExtension())
	w.want(w.reconciles(fixes), "share_missing: 1 refused")
	w.shares("many_names", 2)
	w.settles()
	w.exec(`delete from register.persons where extension = $1`, w.persons["many_names"].RevealExtension())
	w.exec(`update sync.person set written_at = written_at - interval '1 hour'`) // else the push thinks it a late read
	w.want(w.reconciles(fixes), "unknown_person: 1 foreign")
	w.want(w.reconciles(restores), "unknown_person: 1 refused")
}

// TestNoThatTheRegisterRefusesNow: it stays due, as it is tried again now and then. The run does not wait for that, and tells that it is refused.
func TestNoThatTheRegisterRefusesNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.shares(tove, 5)
	w.withdraws(tove, 6)
	w.settles()
	w.clinicSets(tove, "+46701740699")
	w.exec(`update register.persons set deceased = true, deregistration = 'AV' where extension = $1`, w.persons[tove].RevealExtension())
	began := time.Now()
	w.want(w.reconciles(fixes), "present_after_no: 1 refused")
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it waited %v for what is tried again in a quarter of an hour", took)
	}
}

// What is queued anyway is no difference.
func TestWhatWaitsIsNoDifference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.shares(tove, 1)
	w.withdraws(bodil, 2)
	r := w.reconciles(fixes)
	w.want(r, "")
	if r.Run.Unsettled != 2 {
		t.Errorf("%d channels wait", r.Run.Unsettled)
	}
}

// Where nobody pushes, the run says after a while what is under way still.
func TestNobodyPushes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.withdraws(bodil, 1)
	w.settles()
	w.stop()
	w.clinicSets(bodil, "+46701740699")
	s := fixes
	s.change = func(c *reconcile.Config) { c.Wait = 0 }
	r := w.reconciles(s)
	w.want(r, "present_after_no: 1 healing")
	if r.Left() != 1 {
		t.Error("it is said to be healed")
	}
	if w.count(`select count(*) from sync.due where urgent`) != 1 {
		t.Error("the No is not first in the queue")
	}
}

// A withdrawal must be gone from the records of all numbers, also of those that we learn of only now.
func TestNumbersOfAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.withdraws(newNumber, 1)
	w.settles()
	w.wantMobiles(oldNumber, "")
	w.clinicSets(oldNumber, "+46701740699")
	w.want(w.reconciles(fixes), "present_after_no: 1 healed")
	w.wantMobiles(oldNumber, "")

	w.shares(newNumber, 2)
	w.settles()
	w.clinicSets(oldNumber, "+46701740699")
	w.want(w.reconciles(fixes), "on_other_number: 1 foreign")
	w.want(w.reconciles(restores), "on_other_number: 1 healed")
	w.wantMobiles(oldNumber, "")
	w.wantMobiles(newNumber, "+46701740602")
}

func TestNumberThatWasNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.exec(`create table links as select * from register.linked_identities`)
	w.exec(`delete from register.linked_identities`)
	w.withdraws(newNumber, 1)
	w.settles()
	w.wantMobiles(oldNumber, seeded)
	w.exec(`insert into register.linked_identities select * from links`)
	w.want(w.reconciles(onlyReport), "number_unknown: 1 reported")
	s := fixes
	s.change = func(c *reconcile.Config) { c.MaxChanges = 0 }
	w.want(w.reconciles(s), "number_unknown: 1 healed")
	w.wantMobiles(oldNumber, "")
	w.want(w.reconciles(onlyReport), "")
}

// A read that shows the record as it was before our last write is no difference. The machine may be too slow for a late read: then it
// is tried once more.
func TestLateReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.readLag = time.Second
	w.works()
	if _, err := w.mock.Faults().Set(mockregister.Fault{Kind: mockregister.KindReadLag, Duration: mockregister.Duration(w.readLag)}); err != nil {
		t.Fatal(err)
	}
	for revision := int64(1); revision < 10; revision++ {
		w.decides(tove, revision, revision%2 == 1)
		w.settles()
		r := w.reconciles(fixes)
		w.want(r, "")
		if r.Run.Calls == 2 && revision > 1 {
			return
		}
	}
	t.Error("no late read was looked at twice")
}

// A decision that comes and is pushed between our look at the state and the register's answer is no difference.
func TestDecisionDuringTheRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.shares(tove, 1)
	w.settles()
	s := fixes
	s.limiter = &limiter{each: func(n int64) {
		if n == 1 {
			w.withdraws(tove, 2)
			w.settles()
		}
	}}
	w.want(w.reconciles(s), "")
	w.wantMobiles(tove, "")
}

// A person who changes during every look is left to the push, after a few.
func TestPersonWhoNeverRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.shares(tove, 1)
	w.settles()
	s := onlyReport
	s.limiter = &limiter{each: func(n int64) {
		w.decides(tove, n+1, n%2 == 0)
		w.settles()
	}}
	r := w.reconciles(s)
	w.want(r, "")
	if r.Run.Unsettled != 1 {
		t.Errorf("%d channels are left to the push", r.Run.Unsettled)
	}
}

// A run that was killed goes on where it was, with what it had found.
func TestKilledRunGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1200)
	w.givesEverybody("+46701740605")
	w.exec(`update register.persons set content = '', mobile = null where position % 100 = 0 and state = 'generated'`)
	for _, killAt := range []int64{1, 2, 3} {
		ctx, kill := context.WithCancel(t.Context())
		s := settings{anew: true, limiter: &limiter{each: func(n int64) {
			if n == killAt {
				kill()
			}
		}}, change: func(c *reconcile.Config) { c.InFlight = 1 }}
		if _, err := w.tryReconcile(ctx, s); !errors.Is(err, context.Canceled) {
			t.Fatalf("killed at call %d: %v", killAt, err)
		}
		rest := &limiter{}
		r := w.reconciles(settings{limiter: rest})
		w.want(r, "share_missing: 12 reported")
		if !r.Run.Resumed || r.Run.Persons != 1200 {
			t.Errorf("killed at call %d: %+v", killAt, r.Run)
		}
		if killAt == 3 && rest.calls.Load() == 3 {
			t.Error("it has begun anew")
		}
	}
}

func TestRunWithOtherOptionsIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	ctx, kill := context.WithCancel(t.Context())
	w.shares(tove, 1)
	if _, err := w.tryReconcile(ctx, settings{limiter: &limiter{each: func(int64) { kill() }}}); err == nil {
		t.Fatal("it was not killed")
	}
	_, err := w.tryReconcile(t.Context(), fixes)
	if other, ok := errors.AsType[*syncpg.OtherRunError](err); !ok || other.Run.Fix {
		t.Fatal(err)
	}
	s := fixes
	s.anew = true
	if r := w.reconciles(s); r.Run.Resumed {
		t.Error("it was gone on with")
	}
}

func TestOnlyOneRunAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	first := must(w.store.Reconcile(t.Context()))(t)
	if _, err := w.store.Reconcile(t.Context()); !errors.Is(err, syncpg.ErrReconciling) {
		t.Error(err)
	}
	first.Close(t.Context())
	must(w.store.Reconcile(t.Context()))(t).Close(t.Context())
}

// A call for every 500 persons, and no more: 21 200 for 10.6 million, which is 35.3 minutes at ten a second.
func TestCallsAreFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5000)
	w.givesEverybody("+46701740605")
	w.exec(`update sync.channel set withdrawal_revision = 2, withdrawal_event = 'e', withdrawal_source = 's', share_value = null, settled = '2 2 s e'
		where person_id % 4 = 0`)
	w.exec(`update register.persons set content = '', mobile = null from sync.channel join sync.person using (person_id)
		where persons.extension = person.extension and withdrawal_revision is not null`)
	w.mock.ResetCalls()
	r := w.reconciles(onlyReport)
	w.want(r, "")
	calls := w.mock.Calls()
	if r.Run.Persons != 5000 || r.Run.Calls != 11 || calls.Total != 11 || calls.Operations[0].Name != bulk { // 1250 with a No, 3750 without: 3 + 8
		t.Errorf("%d persons in %d calls; the register says %+v", r.Run.Persons, r.Run.Calls, calls)
	}
}

// Linked numbers take room in a call, not a call of their own.
func TestCallsHaveRoomForLinkedNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 660)
	w.givesEverybody("+46701740605")
	w.exec(`delete from sync.channel where person_id % 11 = 0`)
	w.exec(`update register.persons r set content = '', mobile = null from sync.person p where r.extension = p.extension and p.person_id % 11 = 0`)
	w.exec(`update sync.person set primary_id = person_id - 1 where person_id % 11 = 0`)
	r := w.reconciles(onlyReport)
	w.want(r, "")
	if r.Run.Persons != 600 || r.Run.Calls != 2 {
		t.Errorf("%d persons in %d calls", r.Run.Persons, r.Run.Calls)
	}
}

// The calls are among those that the register allows all workers together.
func TestCallsAreShared(t *testing.T) {
	t.Parallel()
	const allowed, hold = 4, 50 * time.Second // whoever waits until a slot runs out is seen on the slowest machine
	w := newWorld(t, 4600)
	w.givesEverybody("+46701740605")
	s := onlyReport
	s.change = func(c *reconcile.Config) {
		c.Limiter = push.NewAllowance(syncpg.NewSlots(w.pool, allowed, hold), func(time.Duration) {})
	}
	w.mock.ResetCalls()
	began := time.Now()
	w.want(w.reconciles(s), "")
	if took := time.Since(began); took > hold/2 {
		t.Errorf("it took %v: somebody waited until a slot ran out that was given back long before", took)
	}
	if c := w.mock.Calls(); c.Total != 10 || c.MostInOneSecond > allowed {
		t.Errorf("%d calls, %d of them in one second", c.Total, c.MostInOneSecond)
	}
}

func TestRegisterTrouble(t *testing.T) {
	t.Parallel()
	dial := func(t *testing.T, w *world, f mockregister.Fault) {
		t.Helper()
		if _, err := w.mock.Faults().Set(f); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("busy for a while", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 0)
		w.works()
		w.shares(tove, 1)
		w.settles()
		dial(t, w, mockregister.Fault{Kind: mockregister.KindTooMany, Contract: bulk, Count: 1})
		r := w.reconciles(onlyReport)
		w.want(r, "")
		if r.Run.Persons != 1 || r.Run.Calls != 2 {
			t.Errorf("%+v", r.Run)
		}
	})
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 0)
		w.works()
		w.shares(tove, 1)
		w.settles()
		dial(t, w, mockregister.Fault{Kind: mockregister.KindOutage, Contract: bulk})
		_, err := w.tryReconcile(t.Context(), settings{change: func(c *reconcile.Config) { c.Patience = 300 * time.Millisecond }})
		if !errors.Is(err, reconcile.ErrAway) || strings.Contains(err.Error(), w.url) {
			t.Fatal(err)
		}
		w.mock.Faults().ClearAll()
		if r := w.reconciles(onlyReport); !r.Run.Resumed || r.Run.Persons != 1 {
			t.Errorf("%+v", r.Run)
		}
	})
	t.Run("it will not tell of one person", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 1)
		w.works()
		for revision, state := range []string{tove, bodil, kim} {
			w.shares(state, int64(revision+1))
		}
		w.settles()
		w.clinicSets(bodil, "")
		dial(t, w, mockregister.Fault{Kind: mockregister.KindClientFault, Contract: bulk, Person: w.persons[tove].RevealExtension()})
		w.want(w.reconciles(onlyReport), "share_missing: 1 reported; read_failed: 1 reported")
	})
}

// The record of another number that refuses to be cleared holds no share up, and stays a difference.
func TestDifferenceThatPersists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.withdraws(newNumber, 1) // whoever withdraws is asked about
	w.settles()
	w.shares(newNumber, 2)
	w.settles()
	w.clinicSets(oldNumber, "+46701740699")
	w.exec(`update register.persons set deceased = true, deregistration = 'AV' where extension = $1`, w.persons[oldNumber].RevealExtension())
	w.want(w.reconciles(restores), "on_other_number: 1 persists")
}

// A finding whose want has moved on since it was compared heals nothing: it is to be looked at again.
func TestHealingIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.works()
	w.shares(tove, 1)
	w.withdraws(newNumber, 2)
	w.settles()
	w.stop()
	journal := must(w.store.Reconcile(t.Context()))(t)
	defer journal.Close(context.WithoutCancel(t.Context()))
	run := must(journal.Begin(t.Context(), fixes.Options, false))(t)
	people := must(w.store.Page(t.Context(), reconcile.Withdrawals, 0, run.Last, 500))(t).Persons
	people = append(people, must(w.store.Page(t.Context(), reconcile.Shares, 0, run.Last, 500))(t).Persons...)
	if len(people) != 2 || len(people[0].Numbers) != 2 {
		t.Fatalf("%d persons", len(people))
	}
	finding := func(p reconcile.Person, id int64) reconcile.Finding {
		return reconcile.Finding{Person: id, Number: p.Numbers[0].Person, Channel: contact.Mobile, Kind: reconcile.ValueDiffers,
			Mark: p.States[contact.Mobile].Want().Mark(), Status: reconcile.Healing}
	}
	old := int64(w.count(`select person_id from sync.person where primary_id is not null`))
	w.withdraws(tove, 3) // a newer decision
	w.exec(`update sync.due set due_at = now() + interval '1 minute', attempts = 7`)
	findings := []reconcile.Finding{finding(people[1], people[1].ID), finding(people[0], old)} // the other one is kept under another number
	step := reconcile.Step{Phase: reconcile.Withdrawals, Position: run.Last, Findings: findings}
	if err := journal.Record(t.Context(), &run, step); err != nil {
		t.Fatal(err)
	}
	if again := must(journal.Open(t.Context(), reconcile.Again, 0, 10, 0))(t); len(again) != 2 {
		t.Errorf("%d of 2 findings are to be looked at again", len(again))
	}
	if n := w.count(`select count(*) from sync.due where attempts = 7 and due_at > now()`); n != 1 || w.count(`select count(*) from sync.due`) != 1 {
		t.Error("somebody was made due")
	}
	if w.count(`select count(*) from sync.audit where action = 'reconcile.heal'`) != 0 {
		t.Error("the audit tells of a repair")
	}
}
