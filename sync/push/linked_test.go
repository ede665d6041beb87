package push_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"contactsync/sync/push"
)

// The old number is a samordningsnummer that the new one, a personnummer, has replaced. Each has a record of its own; the old
// one's holds seeded.
const (
	oldNumber = "replaced_coordination_number"
	newNumber = "replacing_personal_number"
	seeded    = "+46701740605"
)

func TestShareUnderAnOldNumberGoesToTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares(oldNumber, 1)
	w.pushes()
	w.wantMobiles(oldNumber, seeded)
	w.wantOutcomes(1)
	w.asks()
	w.pushes()
	w.wantMobiles(oldNumber, "")
	w.wantMobiles(newNumber, numberOf(1).Reveal())
	w.wantOutcomesUnder(oldNumber, 1, "pushed")
	w.shares(oldNumber, 2)
	w.pushes()
	w.wantMobiles(newNumber, numberOf(1).Reveal()) // who the person is now is asked for every such share
	w.asks()
	w.pushes()
	w.wantMobiles(newNumber, numberOf(2).Reveal())
	w.wantOutcomesUnder(oldNumber, 2, "pushed")
}

func TestShareUnderACoordinationNumberThatStillCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("coordination_number", 1)
	w.asks()
	w.pushes()
	w.wantMobiles("coordination_number", numberOf(1).Reveal())
	w.withdraws("coordination_number", 2)
	w.pushes() // waits for no answer
	w.wantOutcomes(2, "pushed")
}

func TestShareOfAPersonWhoseNumberTheRegisterDoesNotHaveGoesNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.entryPerson("unknown", "1.2.752.129.2.1.3.3", "198507699802")
	w.shares("unknown", 1)
	w.asks()
	w.pushes()
	w.wantOutcomes(1, "parked person_unknown")
	w.asks()
	if w.pushes() != 0 || w.asks() != 0 {
		t.Error("it goes on for ever")
	}
}

func TestWithdrawalGoesToTheRecordsOfAllNumbers(t *testing.T) {
	t.Parallel()
	for _, number := range []string{oldNumber, newNumber} {
		w := newWorld(t, nil)
		w.withdraws(number, 1)
		w.pushes()
		w.wantMobiles(number, "")
		w.asks()
		w.pushes()
		w.wantMobiles(oldNumber, "")
		w.wantMobiles(newNumber, "")
		w.wantOutcomesUnder(number, 1, map[string][]string{
			oldNumber: {"pushed", "unchanged"}, // its own record was first
			newNumber: {"unchanged", "pushed"},
		}[number]...)
		if w.audited("identity.link") != 1 {
			t.Error("that two numbers are one person's is not in the audit")
		}
	}
}

// Both orders of Yes and No, under either number, with the Yes in the register or still queued.
func TestNewestDecisionWinsAcrossNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		yes, no string
		pushed  bool // before the No came
	}{
		{oldNumber, newNumber, false}, {oldNumber, newNumber, true}, {newNumber, oldNumber, false}, {newNumber, oldNumber, true},
	} {
		t.Run(fmt.Sprintf("%s, pushed %t", tt.yes, tt.pushed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.shares(tt.yes, 1)
			if tt.pushed {
				w.asks()
				w.pushes()
				w.wantMobiles(newNumber, numberOf(1).Reveal())
			}
			w.withdraws(tt.no, 2)
			for range 3 {
				w.asks()
				w.pushes()
			}
			w.wantMobiles(oldNumber, "")
			w.wantMobiles(newNumber, "")
			w.shares(tt.yes, 1) // a replay
			w.asks()
			w.pushes()
			w.wantMobiles(newNumber, "")
			w.shares(tt.no, 3)
			w.asks()
			w.pushes()
			w.wantMobiles(oldNumber, "")
			w.wantMobiles(newNumber, numberOf(3).Reveal())
		})
	}
}

// A No that a Yes overtakes before it is carried out counts all the same on the record where the Yes does not go.
func TestOvertakenWithdrawalReachesTheOtherRecord(t *testing.T) {
	t.Parallel()
	for _, ownShare := range []bool{false, true} {
		w := newWorld(t, nil)
		if ownShare {
			w.withoutLink(func() {
				w.shares(oldNumber, 1)
				w.asks()
				w.pushes()
			})
			w.wantMobiles(oldNumber, numberOf(1).Reveal())
		}
		w.withdraws(newNumber, 2)
		w.shares(newNumber, 3)
		for range 2 {
			w.asks()
			w.pushes()
		}
		w.wantMobiles(oldNumber, "")
		w.wantMobiles(newNumber, numberOf(3).Reveal())
	}
}

// The share's own record is in order; what the other one still lacks is tried again, and then told of.
func TestShareIsDoneWhenTheOtherRecordIsCleared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares(oldNumber, 1)
	w.asks()
	w.network.only, w.network.loseReply = w.persons[oldNumber], true
	w.pushes()
	w.wantMobiles(newNumber, numberOf(1).Reveal())
	w.wantOutcomes(1)
	w.pushes()
	w.wantMobiles(oldNumber, "")
	w.wantOutcomes(1, "unchanged")
}

// A withdrawal is told of as done when every record that is known shows it.
func TestWithdrawalIsDoneWhenAllRecordsShowIt(t *testing.T) {
	t.Parallel()
	for _, last := range []string{oldNumber, newNumber} {
		t.Run("no answer about the "+last, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.shares(oldNumber, 1)
			w.asks()
			w.pushes()
			w.copies(newNumber, oldNumber) // somebody else's doing
			w.withdraws(newNumber, 2)
			w.network.only, w.network.loseReply = w.persons[last], true
			w.pushes()
			w.wantOutcomes(2)
			w.pushes()
			w.wantOutcomes(2, "unchanged") // as of every write without an answer
			w.wantMobiles(oldNumber, "")
			w.wantMobiles(newNumber, "")
		})
	}
}

// Trap 1 holds for each record.
func TestDelayedWriteToAnotherNumbersRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withoutLink(func() {
		w.shares(oldNumber, 1)
		w.asks()
		w.network.only, w.network.hold = w.persons[oldNumber], true
		w.pushes() // the share is under way to the old number's record for a long time
	})
	w.withdraws(newNumber, 2)
	w.pushes()
	w.asks()
	w.pushes()
	w.network.deliver(t)
	w.wantMobiles(oldNumber, "")
	w.wantMobiles(newNumber, "")
}

// A worker that dies with both records in its hands may have a write under way to either.
func TestDeathBetweenTwoRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares(oldNumber, 1)
	w.asks()
	w.pushes()
	w.withdraws(oldNumber, 2)
	w.pushes()
	w.asks()
	w.withdraws(oldNumber, 3)
	dying, err := w.store.Claim(t.Context(), 1, true, true)
	if err != nil || len(dying) != 1 || len(dying[0].Linked) != 1 {
		t.Fatalf("claims %+v: %v", dying, err)
	}
	w.leaseRunsOut()
	before := w.network.updates()
	w.pushes()
	if got := w.network.updates() - before; got != 2 {
		t.Errorf("%d of 2 versions were burned", got)
	}
	w.wantOutcomes(3, "unchanged")
}

// Numbers are joined only while nobody writes to one of their records: a claim knows the numbers that it was made for.
func TestNumbersAreNotJoinedUnderALease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares(newNumber, 1)
	claims, err := w.store.Claim(t.Context(), 1, false, true)
	if err != nil || len(claims) != 1 {
		t.Fatalf("claims %+v: %v", claims, err)
	}
	w.withdraws(oldNumber, 2)
	w.asks()
	if w.audited("identity.link") != 0 {
		t.Error("joined while a share is under way")
	}
	if err := w.finish(claims[0], push.Result{Unsure: true, RetryIn: 1}); err != nil {
		t.Fatal(err)
	}
	w.asks()
	w.pushes()
	w.wantMobiles(newNumber, "")
	w.wantOutcomes(1, "superseded newer_decision")
}

func TestGuardianOfAChildWithTwoNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.entryPerson("old_child", "1.2.752.129.2.1.3.3", "201701612382")
	child, old := w.persons["elder_sibling"], w.persons["old_child"]
	for _, statement := range []string{
		`insert into register.persons (root, extension, name, state, deceased, protected_person, protected_population, version, content)
			select $1, $2, name, 'old', false, false, false, version, content from register.persons where root = $3 and extension = $4`,
		`insert into register.linked_identities (root, extension, primary_root, primary_extension, replaced_on) values ($1, $2, $3, $4, now())`,
	} {
		if _, err := w.pool.Exec(t.Context(), statement, old.Root(), old.RevealExtension(), child.Root(), child.RevealExtension()); err != nil {
			t.Fatal(err)
		}
	}
	w.guardianShares("old_child", "guardian_of_two", 1)
	for range 3 {
		w.asks()
	}
	w.pushes()
	w.wantMobiles("elder_sibling", numberOf(1).Reveal())
	w.wantMobiles("old_child", "")
	w.wantOutcomesUnder("old_child", 1, "parked guardian_unconfirmed", "pushed")
}

// Decisions under both numbers arrive while the numbers become one: none is lost, and the newest wins.
func TestNumbersAreJoinedWhileDecisionsArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const decisions = 60
	done := make(chan error, 1)
	go func() {
		var err error
		for i := range int64(decisions) {
			number := []string{oldNumber, newNumber}[i%2]
			err = errors.Join(err, w.take(w.entry(number, i+1, i%3 != 0)))
		}
		done <- err
	}()
	for working := true; working; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			working = false
		default:
		}
		w.asks()
		w.pushes()
	}
	w.asks()
	w.pushes()
	w.wantMobiles(oldNumber, "")
	w.wantMobiles(newNumber, numberOf(decisions).Reveal())
	for i := range int64(decisions) {
		number := []string{oldNumber, newNumber}[i%2]
		if got := w.outcomesUnder(number, i+1); len(got) == 0 || len(got) != len(w.outcomes(i+1)) {
			t.Errorf("decision %d under the %s: outcomes %q of %q", i+1, number, got, w.outcomes(i+1))
		}
	}
}

// Waiting for the end of a second is no attempt, on whichever record, unless something has failed on the other one.
func TestAClaimOnTwoRecordsIsAnAttemptIfOneFails(t *testing.T) {
	t.Parallel()
	done, waits, failed := push.Result{}, push.Result{RetryIn: time.Second, Untried: true}, push.Result{RetryIn: time.Minute}
	for _, c := range []struct {
		own, other push.Result
		untried    bool
	}{{done, done, false}, {done, waits, true}, {waits, done, true}, {waits, waits, true}, {waits, failed, false}, {failed, waits, false}} {
		if got := push.Joined(c.own, c.other); got.Untried != c.untried || got.RetryIn != max(c.own.RetryIn, c.other.RetryIn) {
			t.Errorf("%+v and %+v: %+v", c.own, c.other, got)
		}
	}
}
