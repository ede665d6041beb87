package push_test

import (
	"net/http"
	"testing"
	"time"

	"contactsync/contracts/contactsv1"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

// newBulkWorld is a world whose worker uses the contract that takes many decisions a call.
func newBulkWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil)
	client, err := contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: w.url, HTTP: &http.Client{Transport: w.network}})
	if err != nil {
		t.Fatal(err)
	}
	adapter, err := register.NewContactsV1(register.ContactsV1Config{Client: client, Observe: func(string, string, string, time.Duration) {}})
	if err != nil {
		t.Fatal(err)
	}
	w.pusher = w.newPusher(w.url, func(c *push.Config) { c.Changes = adapter })
	return w
}

const bulkCall = "" // it has no SOAPAction

func TestManyAreChangedByOneCall(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	for i, state := range []string{"empty", "staff_entries", "guardian", "both_channels"} {
		w.shares(state, int64(i+1))
	}
	if w.pushes() != 4 || w.network.seen[bulkCall] != 1 || w.network.updates() != 0 {
		t.Errorf("%v", w.network.seen)
	}
	w.wantMobiles("guardian", numberOf(3).Reveal())
	w.wantOutcomes(3, "pushed")
	w.withdraws("guardian", 5)
	w.pushes()
	w.proves()
	w.wantMobiles("guardian", "")
	w.wantOutcomes(5, "pushed", "pushed proved")
}

func TestBulkTellsWhyNot(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.entryPerson("unknown", "1.2.752.129.2.1.3.1", "198507099805")
	w.shares("deceased", 1)
	w.shares("unknown", 2)
	w.shares("empty", 3)
	w.pushes()
	w.wantOutcomes(1, "parked person_deceased")
	w.wantOutcomes(2, "parked person_unknown")
	w.wantOutcomes(3, "pushed")
}

// Trap 1: a Yes that was held up on the way meets the fence of the No after it.
func TestDelayedBulkDoesNotBringAShareBack(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.shares("empty", 1)
	w.network.hold = true
	w.pushes()
	w.withdraws("empty", 2)
	w.pushes()
	w.wantOutcomes(1, "superseded newer_decision")
	w.network.deliver(t)
	w.wantMobiles("empty", "")
	w.pushes()
	if got := w.outcomes(2); len(got) != 1 {
		t.Errorf("outcomes %q", got)
	}
}

// Trap 3: an answer that was lost is asked for again, and the version burnt in case something else is under way.
func TestLostAnswerOfABulk(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.shares("empty", 1)
	w.network.loseReply = true
	w.pushes()
	w.wantOutcomes(1)
	w.pushes()
	w.wantMobiles("empty", numberOf(1).Reveal())
	w.wantOutcomes(1, "unchanged")
	if w.network.updates() != 1 {
		t.Error("the version was not burnt")
	}
}

// What is applied has burnt the version: nothing has to be looked at.
func TestNewerDecisionAfterALostAnswer(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.shares("empty", 1)
	w.network.loseReply = true
	w.pushes()
	w.shares("empty", 2)
	w.pushes()
	w.wantMobiles("empty", numberOf(2).Reveal())
	w.wantOutcomes(2, "pushed")
	if w.network.updates() != 0 {
		t.Error("it was written twice")
	}
}

// A refusal burns nothing: what was sent before may still land.
func TestRefusalAfterALostAnswer(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.shares("empty", 1)
	w.network.loseReply = true
	w.pushes()
	if _, err := w.pool.Exec(t.Context(), `update register.persons set deregistration = 'AV', deceased = true where extension = $1`, w.persons["empty"].RevealExtension()); err != nil {
		t.Fatal(err)
	}
	w.pushes()
	w.wantOutcomes(1, "parked person_deceased")
	if w.network.updates() != 1 {
		t.Error("nobody tried to burn the version")
	}
}

// The fence says that the No was carried out; somebody has written since by a contract that knows no fences.
func TestBulkLooksWhereTheFenceStandsAlready(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.withdraws("both_channels", 1)
	w.pushes()
	w.copies("guardian_of_two", "both_channels")
	w.proves()
	w.pushes()
	w.wantMobiles("both_channels", "")
	w.proves()
	if got := w.outcomes(1); got[len(got)-1] != "pushed proved" {
		t.Errorf("outcomes %q", got)
	}
}

func TestBulkOfAPersonOfTwoNumbers(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.withdraws(newNumber, 1)
	w.pushes()
	w.asks()
	w.pushes()
	w.wantMobiles(oldNumber, "")
}

// What is carried out by the other way is not settled: it fences nothing of this one.
func TestBulkRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.shares("empty", 1)
	w.withdraws("both_channels", 2)
	w.network.refuse = http.StatusForbidden
	w.pushes()
	w.wantMobiles("both_channels", "")
	w.wantOutcomes(2)
	w.network.refuse = http.StatusForbidden
	w.pushes()
	w.wantMobiles("empty", numberOf(1).Reveal())
	w.wantOutcomes(1, "pushed")
	w.pushes()
	if got := w.outcomes(2); len(got) != 1 {
		t.Errorf("outcomes %q", got)
	}
	w.proves()
	w.wantMobiles("both_channels", "")
}

// Trap 1 once more, where the No was refused as a whole: the version that it burns by the other way stops no Yes that is under way.
func TestDelayedBulkDoesNotOutliveARefusedOne(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.shares("empty", 1)
	w.network.hold = true
	w.pushes()
	w.withdraws("empty", 2)
	w.network.refuse = http.StatusForbidden
	w.pushes()
	w.pushes()
	if got := w.outcomes(2); len(got) != 1 {
		t.Fatalf("outcomes %q", got)
	}
	w.network.deliver(t)
	w.wantMobiles("empty", "")
}

// And where the Yes is under way to the record of a number that turns out to be the same person's.
func TestDelayedBulkToAnotherNumbersRecord(t *testing.T) {
	t.Parallel()
	w := newBulkWorld(t)
	w.withoutLink(func() {
		w.shares(oldNumber, 1)
		w.asks()
		w.network.only, w.network.hold = w.persons[oldNumber], true
		w.pushes()
	})
	w.withdraws(newNumber, 2)
	w.asks()
	w.pushes()
	w.wantOutcomesUnder(newNumber, 2, "unchanged")
	if len(w.network.held) != 1 {
		t.Fatalf("%d calls are under way", len(w.network.held))
	}
	w.network.deliver(t)
	w.wantMobiles(oldNumber, "")
	w.wantMobiles(newNumber, "")
}

// A register that asks to be left alone is, by either way, but not for years.
func TestWishToBeLeftAloneIsHeeded(t *testing.T) {
	t.Parallel()
	personV4 := func(t *testing.T) *world { t.Helper(); return newWorld(t, nil) }
	for way, newWay := range map[string]func(*testing.T) *world{"personv4": personV4, "contactsv1": newBulkWorld} {
		for wish, want := range map[string]time.Duration{"100": 100 * time.Second, "999999999": 5 * time.Minute} {
			t.Run(way+" "+wish+" for a No", func(t *testing.T) {
				t.Parallel()
				w := newWay(t)
				w.shares("empty", 1)
				w.pushes()
				w.withdraws("empty", 2)
				w.network.refuse, w.network.leave = http.StatusServiceUnavailable, wish
				w.pushes()
				if due := w.due("sync.due"); due > time.Minute || due < time.Minute/2 {
					t.Errorf("tried again in %v, want a minute", due)
				}
			})
			t.Run(way+" "+wish, func(t *testing.T) {
				t.Parallel()
				w := newWay(t)
				w.shares("empty", 1)
				w.network.refuse, w.network.leave = http.StatusServiceUnavailable, wish
				w.pushes()
				if due := w.due("sync.due"); due > want || due < want-time.Minute {
					t.Errorf("tried again in %v, want %v", due, want)
				}
			})
		}
	}
}
