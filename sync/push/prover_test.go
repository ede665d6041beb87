package push_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

func TestRemovalIsProved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("empty", 1)
	w.pushes()
	w.withdraws("empty", 2)
	w.pushes()
	w.wantOutcomes(2, "pushed")
	if w.proves() != 1 || w.proves() != 0 || len(w.proved) != 1 || w.proved[0] <= 0 {
		t.Errorf("%d removals are proved", len(w.proved))
	}
	w.wantOutcomes(1, "pushed")
	w.wantOutcomes(2, "pushed", "pushed proved")
}

func TestRemovalFromARecordThatThereIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.entryPerson("unknown", contact.RootSamordningsnummer, "198507699802")
	w.withdraws("unknown", 1)
	w.pushes()
	w.proves()
	w.wantOutcomes(1, "unchanged person_unknown", "unchanged person_unknown proved")
}

// A detail that stands there again is removed before all else, and proved gone anew.
func TestRemovalThatIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws("both_channels", 1)
	w.pushes()
	w.wantMobiles("both_channels", "")
	w.copies("guardian_of_two", "both_channels") // as somebody's late restore would
	w.proves()
	if w.undone != 1 || len(w.proved) != 0 {
		t.Fatalf("%d undone, %d proved", w.undone, len(w.proved))
	}
	w.wantOutcomes(1, "pushed")
	w.pushes()
	w.wantMobiles("both_channels", "")
	w.proves()
	w.wantOutcomes(1, "pushed", "pushed", "pushed proved")
}

func TestWhatIsUndoneGoesBeforeWithdrawalsThatWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws("both_channels", 1)
	w.pushes()
	w.copies("guardian_of_two", "both_channels")
	for i, state := range []string{"empty", "guardian", "staff_entries"} {
		w.withdraws(state, int64(i+2))
	}
	w.proves()
	claims, err := w.store.Claim(t.Context(), 1, true, true)
	if err != nil || len(claims) != 1 || claims[0].Person != w.persons["both_channels"] {
		t.Errorf("%d claims, %v: another one was first in line", len(claims), err)
	}
	if n, err := w.store.UnderWay(t.Context(), 9); n != 1 || err != nil {
		t.Errorf("%d withdrawals under way, %v", n, err)
	}
}

// Trap 2 once more: what is read may be older than what was written.
func TestOldRecordDoesNotProveARemoval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.shares("empty", 1)
	w.pushes()
	w.withdraws("empty", 2)
	w.pushes()
	if _, err := w.pool.Exec(t.Context(), `update sync.person set written_version = '29991231235959'`); err != nil {
		t.Fatal(err)
	}
	w.proves()
	w.wantOutcomes(2, "pushed")
	if _, err := w.pool.Exec(t.Context(), `update sync.person set written_version = ''`); err != nil {
		t.Fatal(err)
	}
	w.proves()
	w.wantOutcomes(2, "pushed", "pushed proved")
}

// Where the register was restored from a copy that is older than our write, no newer version will ever come.
func TestOldRecordThatStaysIsWrittenAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws("both_channels", 1)
	w.pushes()
	w.copies("guardian_of_two", "both_channels")
	exec := func(statement string) {
		t.Helper()
		if _, err := w.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`update sync.person set written_version = '29991231235959'`)
	w.proves()
	if w.undone != 0 || len(w.proved) != 0 {
		t.Fatalf("of a write a moment ago: %d undone, %d proved", w.undone, len(w.proved))
	}
	exec(`update sync.person set written_at = now() - interval '2 minutes'`)
	w.proves()
	if w.undone != 1 || len(w.proved) != 0 {
		t.Errorf("%d undone, %d proved", w.undone, len(w.proved))
	}
}

// The register knew the person when we wrote.
func TestMissingRecordDoesNotProveARemovalAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws("both_channels", 1)
	w.pushes()
	for _, statement := range []string{`create table gone as select * from register.persons where extension = $1`, `delete from register.persons where extension = $1`} {
		if _, err := w.pool.Exec(t.Context(), strings.Replace(statement, "$1", "'"+w.persons["both_channels"].RevealExtension()+"'", 1)); err != nil {
			t.Fatal(err)
		}
	}
	w.proves()
	w.wantOutcomes(1, "pushed")
	if _, err := w.pool.Exec(t.Context(), `update sync.person set written_at = now() - interval '2 minutes'`); err != nil {
		t.Fatal(err)
	}
	w.proves()
	w.wantOutcomes(1, "pushed", "pushed proved")
}

func TestRemovalIsProvedUnderAllNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws(newNumber, 1)
	w.asks()
	w.pushes()
	w.wantMobiles(oldNumber, "")
	w.copies("both_channels", oldNumber)
	w.proves()
	if w.undone != 1 {
		t.Error("only the record of one number was looked at")
	}
	w.pushes()
	w.proves()
	if got := w.outcomes(1); got[len(got)-1] != "pushed proved" {
		t.Errorf("outcomes %q", got)
	}
}

// A newer decision that is carried out settles what the proof was for.
func TestOvertakenRemovalNeedsNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws("empty", 1)
	w.pushes()
	w.shares("empty", 2)
	w.pushes()
	w.proves()
	w.wantMobiles("empty", numberOf(2).Reveal())
	w.wantOutcomes(1, "unchanged")
	if w.proves() != 0 || w.undone != 0 {
		t.Error("what is wanted was taken for a removal that is undone")
	}
}

// What the register shows when a share was written, and nobody has recorded that yet, is no removal that is undone.
func TestAShareThatIsUnderWayUndoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.withdraws("empty", 1)
	w.pushes()
	w.shares("empty", 2)
	w.copies("both_channels", "empty")
	if w.proves() != 1 || w.undone != 0 {
		t.Errorf("%d undone", w.undone)
	}
	w.pushes()
	w.wantOutcomes(1, "unchanged")
	w.wantOutcomes(2, "pushed")
	if w.proves() != 1 || w.proves() != 0 || w.undone != 0 {
		t.Error("the proof is not over")
	}
}

// A share that came after a withdrawal and is refused brings the withdrawal back, which nobody pushes again: it is proved all the same,
// whether the look comes before or after the refusal.
func TestARemovalBehindARefusedShareIsProved(t *testing.T) {
	t.Parallel()
	for about, between := range map[string]func(*world){
		"looked at before the refusal": func(w *world) { w.proves(); w.refuses() },
		"looked at after the refusal":  func(w *world) { w.refuses(); w.proves() },
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.withdraws("empty", 1)
			w.pushes()
			w.shares("empty", 2)
			between(w)
			if got := w.outcomes(1); !slices.Contains(got, "unchanged proved") {
				t.Errorf("outcomes %q", got)
			}
		})
	}
}

// So it is with a share that comes while the withdrawal is carried out.
func TestARemovalDuringWhichAShareComesIsProved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *push.Config) { c.SharesAllowed = func() bool { return false } }) // else the share may be pushed in the same round
	w.withdraws("both_channels", 1)
	w.network.beforePut = func() { w.shares("both_channels", 2) }
	w.pushes()
	w.wantOutcomes(1, "superseded newer_decision")
	w.refuses()
	w.wantOutcomes(1, "superseded newer_decision", "unchanged")
	w.proves()
	w.wantOutcomes(1, "superseded newer_decision", "unchanged", "pushed proved")
}

// refuses has a share that is due refused by the register.
func (w *world) refuses() {
	w.t.Helper()
	claims, err := w.store.Claim(w.t.Context(), 1, false, true)
	if err != nil || len(claims) != 1 {
		w.t.Fatalf("%d claims, %v", len(claims), err)
	}
	err = w.finish(claims[0], push.Result{Parked: []push.Parked{{Target: claims[0].Targets[0], Reason: reason.RegisterRefused}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// refusing is a register that will not show one of the persons.
type refusing struct {
	next   push.Shown
	person contact.PersonID
	calls  int
}

func (r *refusing) Shown(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]plan.Record, error) {
	r.calls++
	for _, id := range ids {
		if id == r.person {
			return nil, &push.Error{Class: push.Refused, Reason: reason.RegisterRefused, Unnamed: true, Err: errors.New("client fault")}
		}
	}
	return r.next.Shown(ctx, ids)
}

func TestOnePersonDoesNotKeepOthersFromProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i, state := range []string{"empty", "both_channels", "staff_entries", "guardian"} {
		w.withdraws(state, int64(i+1))
	}
	w.pushes()
	w.prover = w.newProver(&refusing{next: w.ahead, person: w.persons["both_channels"]})
	w.proves()
	for revision, want := range map[int64]int{1: 2, 2: 1, 3: 2, 4: 2} {
		if got := w.outcomes(revision); len(got) != want {
			t.Errorf("outcomes of revision %d: %q", revision, got)
		}
	}
}

func TestProverEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.prover.Run(ctx); close(ended) }()
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it runs on")
	}
}
