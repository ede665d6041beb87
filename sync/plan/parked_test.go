package plan_test

import (
	"slices"
	"testing"

	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// blocked is a state whose want, a share, the register will not take.
func blocked(events ...plan.Event) plan.State {
	s := after(events...)
	s.Park(s.Want(), reason.RegisterRefused)
	return s
}

func told(t *testing.T, verdicts []plan.Verdict, want ...string) {
	t.Helper()
	var got []string
	for _, v := range verdicts {
		got = append(got, v.EventID+" "+string(v.Outcome)+" "+string(v.Reason))
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestReleasedShareIsWantedAgain(t *testing.T) {
	t.Parallel()
	s := blocked(withdraw(1, "1", a), share(2, "2", a))
	m := s.AllParked()[0].Mark
	if s.Want().EventID != "1" {
		t.Fatalf("want %+v", s.Want())
	}
	verdicts, ok := s.Release(m)
	if !ok || s.Want().Kind != plan.Shared || !s.Due() || len(s.AllParked()) != 0 {
		t.Errorf("%v, %+v", ok, s.Want())
	}
	told(t, verdicts, "1 superseded newer_decision") // the No behind it, which had not been carried out yet
	told(t, s.Park(s.Want(), reason.RegisterRefused), "2 parked register_refused")
	if _, ok := s.Release("another"); ok {
		t.Error("released what is not parked")
	}
}

func TestReleasedWithdrawalIsToldOfAgain(t *testing.T) {
	t.Parallel()
	s := after(withdraw(1, "1", a))
	told(t, s.Park(s.Want(), reason.RegisterRefused), "1 parked register_refused")
	told(t, s.Park(s.Want(), reason.RegisterRefused))
	if _, ok := s.Drop(s.Want().Mark()); ok || s.Want().Kind != plan.Withdrawn {
		t.Fatal("a No was dropped")
	}
	if _, ok := s.Release(s.Want().Mark()); !ok || !s.Due() {
		t.Fatal("not released")
	}
	told(t, s.Park(s.Want(), reason.RegisterRefused), "1 parked register_refused")
}

func TestDroppedShareIsGone(t *testing.T) {
	t.Parallel()
	s := blocked(share(2, "2", a))
	verdicts, ok := s.Drop(s.AllParked()[0].Mark)
	told(t, verdicts, "2 parked dropped")
	if !ok || s.Want().Kind != plan.Unasked || !s.Share.Value.IsZero() || len(s.AllParked()) != 0 {
		t.Fatalf("%v, %+v", ok, s)
	}
	told(t, s.Apply(share(2, "2", a)), "2 parked dropped")
	told(t, s.Apply(share(1, "1", b)), "1 superseded newer_decision")
	if s.Want().Kind != plan.Unasked {
		t.Errorf("came back: %+v", s.Want())
	}
	told(t, s.Apply(share(3, "3", a)))
	if s.Want().EventID != "3" || s.Blocked != "" {
		t.Errorf("a new one does not count: %+v", s)
	}
	told(t, s.Apply(share(2, "2", a)), "2 superseded newer_decision")
}

// What stood in the register before a share that was dropped is not taken away by an older No.
func TestDroppedShareLeavesWhatStands(t *testing.T) {
	t.Parallel()
	s := after(withdraw(1, "1", a), share(2, "2", a))
	s.Settle(s.Want(), plan.Verdict{Outcome: event.Pushed})
	s.Apply(share(3, "3", a))
	s.Park(s.Want(), reason.RegisterRefused)
	if _, ok := s.Drop(s.AllParked()[0].Mark); !ok || s.Due() {
		t.Fatalf("%v, due %+v", ok, s.Want())
	}
	s.Apply(withdraw(4, "4", a))
	if s.Want().EventID != "4" || !s.Due() {
		t.Errorf("a newer No does not count: %+v", s.Want())
	}
}

func TestDroppedShareStaysDroppedWhereNumbersAreJoined(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		other plan.State
		want  []string
	}{{plan.State{}, nil}, {after(share(1, "1", b)), []string{"1 superseded newer_decision"}}} {
		s, other := blocked(share(2, "2", a)), row.other
		s.Drop(s.AllParked()[0].Mark)
		told(t, other.Join(s, oldNumber), row.want...)
		if other.Want().Kind != plan.Unasked || other.Blocked != reason.Dropped {
			t.Errorf("came back: %+v", other)
		}
	}
}

func TestDroppedGuardiansShareWaitsNoMore(t *testing.T) {
	t.Parallel()
	s := after(guardianShare(1, "1", a))
	m := s.AllParked()[0].Mark
	if _, ok := s.Release(m); !ok || len(s.Waiting) != 1 {
		t.Fatalf("%v, %+v", ok, s)
	}
	verdicts, ok := s.Drop(m)
	told(t, verdicts, "1 parked dropped")
	if !ok || len(s.Waiting) != 0 || s.Want().Kind != plan.Unasked {
		t.Errorf("%v, %+v", ok, s)
	}
}
