package push_test

import (
	"testing"
	"time"

	"contactsync/sync/push"
)

// The four traps of DESIGN §4. Each test fails without the rule that closes its trap.

// Trap 1: a read that shows nothing to do fences nothing.
func TestDelayedShareCannotLandAfterTheWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("empty", 1)
	w.network.hold = true
	w.pushes() // the share is under way for a long time
	w.withdraws("empty", 2)
	w.pushes() // the register shows nothing to remove
	w.network.deliver(t)
	w.wantMobiles("empty", "")
	w.wantOutcomes(2, "unchanged")
}

func TestDelayedShareOfADeadWorkerCannotLandAfterTheWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("empty", 1)
	dying, err := w.store.Claim(t.Context(), 1, false, true)
	if err != nil || len(dying) != 1 {
		t.Fatalf("claimed %d persons: %v", len(dying), err)
	}
	w.withdraws("empty", 2)
	if n := w.pushes(); n != 0 {
		t.Fatal("a person was claimed twice")
	}
	w.leaseRunsOut()
	before := w.network.updates()
	w.pushes()
	if w.network.updates() != before+1 {
		t.Error("the version that the dead worker may have read was not burned")
	}
	w.wantOutcomes(2, "unchanged")
}

func TestResultOfALostLeaseIsNotRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("empty", 1)
	zombie, err := w.store.Claim(t.Context(), 1, false, true)
	if err != nil {
		t.Fatal(err)
	}
	w.leaseRunsOut()
	w.pushes()
	w.wantOutcomes(1, "pushed")
	err = w.finish(zombie[0], push.Result{Settled: []push.Settled{{Target: zombie[0].Targets[0], Outcome: "unchanged"}}})
	if err == nil {
		t.Error("a zombie recorded a result")
	}
	w.wantOutcomes(1, "pushed")
}

// Trap 2: reads may be old.
func TestOldReadDoesNotProveAWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *push.Config) { c.ReadLag = time.Hour })
	w.shares("empty", 1)
	w.pushes()
	before := w.network.lastRead // the empty record that the share was decided on
	w.wantMobiles("empty", "+46701740601")
	w.withdraws("empty", 2)
	w.network.replay = before
	w.pushes()
	w.wantOutcomes(2)
	w.pushes() // now the register shows the share
	w.wantMobiles("empty", "")
	w.wantOutcomes(2, "pushed")
}

// Trap 3: a write whose end is unknown is read again, never repeated blindly.
func TestLostAnswerIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("empty", 1)
	w.network.loseReply = true
	w.pushes()
	if got := w.network.updates(); got != 1 {
		t.Fatalf("the update was sent %d times in one attempt", got)
	}
	w.wantOutcomes(1)
	w.pushes()
	w.wantMobiles("empty", "+46701740601")
	w.wantOutcomes(1, "unchanged")
}

func TestStaleVersionIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("staff_entries", 1)
	w.network.beforePut = func() {
		if _, err := w.pool.Exec(t.Context(), `update register.persons set version = '20991231235959' where extension = $1`,
			w.persons["staff_entries"].RevealExtension()); err != nil {
			t.Error(err)
		}
	}
	w.pushes()
	w.wantMobiles("staff_entries", "+46701740601")
	w.wantOutcomes(1, "pushed")
}
