package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/plan"
)

var oldNumber = contact.KnownPersonID(contact.RootSamordningsnummer, "198305779814")

// TestTwoNumbersAreOnePerson splits decisions over two numbers, lets the register act on either, and finds out at any time that
// they are one person's: what is wanted is what all the decisions say together, and each decision has a verdict that names the
// number it was made under.
func TestTwoNumbersAreOnePerson(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		arriving := arriving(t, events)
		at := rapid.IntRange(0, len(arriving)).Draw(t, "known after")
		var now, old plan.State
		joined := false
		under, last := map[string]contact.PersonID{}, map[string]plan.Verdict{}
		note := func(verdicts []plan.Verdict, kept contact.PersonID) {
			for _, v := range verdicts {
				if v.Under.IsZero() {
					v.Under = kept
				}
				last[v.EventID] = v
			}
		}
		act := func(s *plan.State, kept contact.PersonID) {
			if s.Due() && rapid.Bool().Draw(t, "act") {
				note(act(t, s, s.Want()), kept)
			}
		}
		for i, e := range arriving {
			if i == at {
				note(now.Join(old, oldNumber), vera)
				joined, old = true, plan.State{}
			}
			id, _ := idOf(e)
			if _, again := under[id]; !again {
				under[id] = rapid.SampledFrom([]contact.PersonID{vera, oldNumber}).Draw(t, "number")
			}
			s, kept := &now, vera
			if under[id] == oldNumber && !joined {
				s, kept = &old, oldNumber
			} else if under[id] == oldNumber {
				e = underOld(e)
			}
			note(s.Apply(e), kept)
			act(s, kept)
		}
		if !joined {
			note(now.Join(old, oldNumber), vera)
		}
		if now.Blocked == "" {
			if kind, by := wantOf(events); now.Want().Kind != kind || now.Want().EventID != by {
				t.Fatalf("want is %d by %q, not %d by %q", now.Want().Kind, now.Want().EventID, kind, by)
			}
		}
		for range 3 {
			if now.Due() {
				note(now.Settle(now.Want(), plan.Verdict{Outcome: event.Pushed}), vera)
			}
		}
		if w := now.Want(); w.Kind != plan.Unasked && last[w.EventID].Outcome != event.Pushed && last[w.EventID].Outcome != event.Unchanged {
			t.Fatalf("the wanted decision ended as %+v", last[w.EventID])
		}
		for id, p := range under {
			if v, ok := last[id]; !ok || v.Under != p {
				t.Fatalf("decision %s has verdict %+v, under the right number: %t", id, v, v.Under == p)
			}
		}
	})
}

// underOld is the event as intake takes it when the numbers are known to be one person's.
func underOld(e plan.Event) plan.Event {
	if e.Share != nil {
		share := *e.Share
		share.Under, e.Share = oldNumber, &share
		return e
	}
	w := *e.Withdrawal
	w.Under, e.Withdrawal = oldNumber, &w
	return e
}

func TestWhatIsDueWhenNumbersAreJoined(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		now, old  []plan.Event // all of it was carried out under its own number
		kind      plan.Kind
		by        string
		due       bool
		verdictOf string
	}{
		{"a withdrawal goes to the other record too", []plan.Event{withdraw(2, "2", a)}, nil, plan.Withdrawn, "2", true, ""},
		{"a withdrawal under the old number goes to the new record", nil, []plan.Event{withdraw(2, "2", a)}, plan.Withdrawn, "2", true, ""},
		{"a share under the old number goes to the new record", nil, []plan.Event{share(1, "1", a)}, plan.Shared, "1", true, ""},
		{"a share clears the other record", []plan.Event{share(1, "1", a)}, nil, plan.Shared, "1", true, ""},
		{"and so if the old number's is older", []plan.Event{share(2, "2", a)}, []plan.Event{withdraw(1, "1", a)}, plan.Shared, "2", true, ""},
		{"a No under the new number beats the old number's Yes", []plan.Event{withdraw(2, "2", a)}, []plan.Event{share(1, "1", a)}, plan.Withdrawn, "2", true, ""},
		{"a No under the old number beats the new number's Yes", []plan.Event{share(1, "1", a)}, []plan.Event{withdraw(2, "2", a)}, plan.Withdrawn, "2", true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now, old := carriedOut(tt.now...), carriedOut(tt.old...)
			verdicts := now.Join(old, oldNumber)
			if w := now.Want(); w.Kind != tt.kind || w.EventID != tt.by || now.Due() != tt.due || len(verdicts) != 0 {
				t.Errorf("want is %d by %q, due %t, verdicts %+v", w.Kind, w.EventID, now.Due(), verdicts)
			}
		})
	}
}

func carriedOut(events ...plan.Event) plan.State {
	s := after(events...)
	if s.Due() {
		s.Settle(s.Want(), plan.Verdict{Outcome: event.Pushed})
	}
	return s
}

func TestQueuedYesUnderAnotherNumberIsSuperseded(t *testing.T) {
	t.Parallel()
	for _, yesUnderOld := range []bool{true, false} {
		yes, no := after(share(1, "1", a)), after(withdraw(2, "2", a))
		now, old := no, yes
		if !yesUnderOld {
			now, old = yes, no
		}
		var told []string
		for _, v := range now.Join(old, oldNumber) {
			told = append(told, fmt.Sprint(v.EventID, " ", v.Outcome, " ", v.Under == oldNumber))
		}
		if want := []string{fmt.Sprint("1 superseded ", yesUnderOld)}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		if now.Want().Kind != plan.Withdrawn || now.Share.Value != (contact.Value{}) {
			t.Error("the Yes is still wanted, or its value kept")
		}
	}
}

func TestGuardiansShareUnderAnOldNumberWaitsOn(t *testing.T) {
	t.Parallel()
	now, old := plan.State{}, after(veras(1, "1"))
	if got := now.Join(old, oldNumber); len(got) != 0 || len(now.Waiting) != 1 || now.Waiting[0].Under != oldNumber {
		t.Errorf("verdicts %+v, waiting %d", got, len(now.Waiting))
	}
}
