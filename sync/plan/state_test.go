package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

const a, b = "urn:hsaid:SE2321000016-A", "urn:hsaid:SE2321000016-B"

func share(revision int64, id, source string) plan.Event {
	return plan.Event{Share: &plan.Share{Revision: revision, EventID: id, Source: source, Value: contact.KnownValue("+4670174" + id)}}
}

func guardianShare(revision int64, id, source string) plan.Event {
	e := share(revision, id, source)
	e.Unconfirmed = true
	return e
}

func withdraw(revision int64, id, source string) plan.Event {
	return plan.Event{Withdrawal: &plan.Withdrawal{Revision: revision, EventID: id, Source: source}}
}

func closeAccount(revision int64, id, source string) plan.Event {
	return plan.Event{Withdrawal: &plan.Withdrawal{Revision: revision, EventID: id, Source: source, Scoped: true}}
}

func after(events ...plan.Event) (s plan.State) {
	for _, e := range events {
		s.Apply(e)
	}
	return s
}

func TestWant(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events []plan.Event
		kind   plan.Kind
		by     string
	}{
		{"nobody was asked", nil, plan.Unasked, ""},
		{"a share is wanted", []plan.Event{share(1, "1", a)}, plan.Shared, "1"},
		{"a newer withdrawal wins", []plan.Event{share(1, "1", a), withdraw(2, "2", b)}, plan.Withdrawn, "2"},
		{"a newer share wins", []plan.Event{share(3, "3", a), withdraw(2, "2", b)}, plan.Shared, "3"},
		{"at equal revision the withdrawal wins", []plan.Event{share(2, "9", a), withdraw(2, "1", a)}, plan.Withdrawn, "1"},
		{"of two shares at equal revision the greater id wins", []plan.Event{share(2, "9", a), share(2, "8", b)}, plan.Shared, "9"},
		{"a closed account takes back what it shared", []plan.Event{share(1, "1", a), closeAccount(2, "2", a)}, plan.Withdrawn, "2"},
		{"a closed account at equal revision wins", []plan.Event{share(2, "9", a), closeAccount(2, "1", a)}, plan.Withdrawn, "1"},
		{"a closed account elsewhere changes nothing", []plan.Event{share(1, "1", a), closeAccount(2, "2", b)}, plan.Shared, "1"},
		{"a closed account alone asks for nothing", []plan.Event{closeAccount(2, "2", a)}, plan.Unasked, ""},
		{"a share after the account was closed holds", []plan.Event{closeAccount(2, "2", a), share(3, "3", a)}, plan.Shared, "3"},
		{"what another e-service shared before is not brought back",
			[]plan.Event{share(1, "1", b), share(2, "2", a), closeAccount(3, "3", a)}, plan.Withdrawn, "3"},
		{"a guardian's share waits", []plan.Event{guardianShare(1, "1", a)}, plan.Unasked, ""},
		{"a guardian's share brings nothing back", []plan.Event{withdraw(1, "1", a), guardianShare(2, "2", a)}, plan.Withdrawn, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := after(tt.events...).Want(); got.Kind != tt.kind || got.EventID != tt.by {
				t.Errorf("want is %d by %q, not %d by %q", got.Kind, got.EventID, tt.kind, tt.by)
			}
		})
	}
}

// anyEvent draws from few revisions, ids and sources, so that they collide.
func anyEvent(t *rapid.T, id string) plan.Event {
	revision := rapid.Int64Range(1, 6).Draw(t, "revision")
	source := rapid.SampledFrom([]string{a, b}).Draw(t, "source")
	make := rapid.SampledFrom([]func(int64, string, string) plan.Event{share, withdraw, closeAccount, guardianShare}).Draw(t, "kind")
	return make(revision, id, source)
}

func anyEvents(t *rapid.T) []plan.Event {
	var events []plan.Event
	for i := range rapid.IntRange(1, 8).Draw(t, "events") {
		events = append(events, anyEvent(t, fmt.Sprint(i)))
	}
	return events
}

func idOf(e plan.Event) (string, int64) {
	if e.Share != nil {
		return e.Share.EventID, e.Share.Revision
	}
	return e.Withdrawal.EventID, e.Withdrawal.Revision
}

// wantOf says what DESIGN §7 says, from all events at once: the newest share against the newest withdrawal that concerns it.
func wantOf(events []plan.Event) (plan.Kind, string) {
	var newest *plan.Share
	for _, e := range events {
		if e.Share != nil && !e.Unconfirmed && (newest == nil || e.Share.Revision > newest.Revision ||
			e.Share.Revision == newest.Revision && e.Share.EventID > newest.EventID) {
			newest = e.Share
		}
	}
	kind, by, revision := plan.Unasked, "", int64(0)
	for _, e := range events {
		w := e.Withdrawal
		if w == nil || w.Scoped && (newest == nil || w.Source != newest.Source) {
			continue
		}
		if w.Revision > revision || w.Revision == revision && w.EventID > by {
			kind, by, revision = plan.Withdrawn, w.EventID, w.Revision
		}
	}
	if newest != nil && newest.Revision > revision {
		return plan.Shared, newest.EventID
	}
	return kind, by
}

func TestWantDoesNotDependOnOrderOrRepetition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t)
		kind, by := wantOf(events)
		arrived := arriving(t, events)
		got := after(arrived...).Want()
		if got.Kind != kind || got.EventID != by {
			t.Fatalf("want is %d by %q, not %d by %q", got.Kind, got.EventID, kind, by)
		}
	})
}

// TestEveryDecisionEnds applies decisions, some of them again later, and lets the register act on them or refuse them in between. In
// the end each decision has a verdict, the register shows the want and its decision is told so, and no value of a replaced
// share is kept.
func TestEveryDecisionEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s plan.State
		events := anyEvents(t)
		last := map[string]plan.Verdict{}
		note := func(verdicts []plan.Verdict) {
			for _, v := range verdicts {
				last[v.EventID] = v
			}
		}
		for _, e := range arriving(t, events) {
			note(s.Apply(e))
			if w := s.Want(); s.Due() && rapid.Bool().Draw(t, "act") {
				note(act(t, &s, w))
			}
		}
		for range 3 {
			if s.Due() {
				note(s.Settle(s.Want(), plan.Verdict{Outcome: event.Pushed}))
			}
		}
		if s.Due() {
			t.Fatal("still due after the register did everything")
		}
		for _, e := range events {
			id, revision := idOf(e)
			v, ok := last[id]
			if !ok || v.Revision != revision {
				t.Fatalf("decision %s has verdict %+v", id, v)
			}
		}
		if w := s.Want(); w.Kind != plan.Unasked && last[w.EventID].Outcome != event.Pushed && last[w.EventID].Outcome != event.Unchanged {
			t.Fatalf("the wanted decision ended as %+v", last[w.EventID])
		}
		if s.Share != nil && s.Want().Kind == plan.Withdrawn && s.Blocked == "" && !s.Share.Value.IsZero() {
			t.Fatal("a withdrawn value is still kept")
		}
	})
}

// arriving is the events in any order, some of them twice.
func arriving(t *rapid.T, events []plan.Event) []plan.Event {
	return rapid.Permutation(slices.Concat(events, events[:rapid.IntRange(0, len(events)).Draw(t, "repeated")])).Draw(t, "order")
}

func act(t *rapid.T, s *plan.State, w plan.Want) []plan.Verdict {
	if rapid.Bool().Draw(t, "refused") {
		return s.Park(w, reason.RegisterRefused)
	}
	return s.Settle(w, plan.Verdict{Outcome: event.Pushed})
}

func TestShareThatCannotBePushedHoldsNoWithdrawalBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		registered := rapid.Int64Range(0, 4).Draw(t, "registered revision")
		withdrawal := rapid.Int64Range(1, 5).Draw(t, "withdrawal revision")
		s := after(withdraw(withdrawal, "w", a), share(6, "s", b))
		s.Registered = plan.Registered{Revision: registered, Source: a}
		s.Park(s.Want(), reason.RegisterRefused)
		wantKind := plan.Unasked
		if withdrawal >= registered {
			wantKind = plan.Withdrawn
		}
		if got := s.Want().Kind; got != wantKind {
			t.Fatalf("behind a blocked share the want is %d, not %d", got, wantKind)
		}
	})
}

func TestDoubtfulShareHidesNoClosedAccountOfTheOneBefore(t *testing.T) {
	t.Parallel()
	s := after(share(1, "1", a))
	s.Settle(s.Want(), plan.Verdict{Outcome: event.Pushed})
	s.Apply(closeAccount(2, "2", a))
	s.Apply(share(3, "3", b))
	s.Doubt(s.Want()) // it may have replaced the first one
	s.Park(s.Want(), reason.RegisterRefused)
	if got := s.Want(); got.Kind != plan.Withdrawn || got.EventID != "2" {
		t.Errorf("want is %d by %q: the first share may still stand, and its account is closed", got.Kind, got.EventID)
	}
}

func TestDoubtfulShareBringsNoOvertakenWithdrawalBack(t *testing.T) {
	t.Parallel()
	s := after(withdraw(1, "1", a), share(2, "2", a))
	s.Settle(s.Want(), plan.Verdict{Outcome: event.Pushed})
	s.Apply(share(3, "3", a))
	s.Doubt(s.Want())
	s.Park(s.Want(), reason.RegisterRefused)
	if got := s.Want(); got.Kind != plan.Unasked {
		t.Errorf("want is %d by %q: whichever share stands, it is newer than the withdrawal", got.Kind, got.EventID)
	}
}

func TestShareOfADeadWorkerHidesNoClosedAccount(t *testing.T) {
	t.Parallel()
	s := after(share(1, "1", a), share(2, "2", b), closeAccount(3, "3", a)) // the first one may have been written, and nobody said so
	s.Park(s.Want(), reason.RegisterRefused)
	if got := s.Want(); got.Kind != plan.Withdrawn || got.EventID != "3" {
		t.Errorf("want is %d by %q: the first share may stand, and its account is closed", got.Kind, got.EventID)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before []plan.Event
		event  plan.Event
		want   map[string]string
	}{
		{"the first decision has no verdict yet", nil, share(1, "1", a), map[string]string{}},
		{"a repeated decision has none again", []plan.Event{share(1, "1", a)}, share(1, "1", a), map[string]string{}},
		{"a newer decision supersedes one that waits", []plan.Event{share(1, "1", a)}, withdraw(2, "2", a), map[string]string{"1": "superseded newer_decision"}},
		{"an older decision is superseded at once", []plan.Event{withdraw(2, "2", a)}, share(1, "1", a), map[string]string{"1": "superseded newer_decision"}},
		{"an account closed elsewhere", []plan.Event{share(1, "1", a)}, closeAccount(2, "2", b), map[string]string{"2": "unchanged shared_elsewhere"}},
		{"an account closed that shared nothing", nil, closeAccount(2, "2", b), map[string]string{"2": "unchanged "}},
		{"an account closed before it shared again", []plan.Event{share(3, "3", a)}, closeAccount(2, "2", a), map[string]string{"2": "superseded newer_decision"}},
		{"a guardian's share waits", nil, guardianShare(1, "1", a), map[string]string{"1": "parked guardian_unconfirmed"}},
		{"a guardian's share comes again", []plan.Event{guardianShare(1, "1", a)}, guardianShare(1, "1", a), map[string]string{}},
		{"a guardian's share comes too late", []plan.Event{withdraw(2, "2", a)}, guardianShare(1, "1", a), map[string]string{"1": "superseded newer_decision"}},
		{"a waiting share is passed", []plan.Event{guardianShare(1, "1", a)}, share(2, "2", a), map[string]string{"1": "superseded newer_decision"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := after(tt.before...)
			got := map[string]string{}
			for _, v := range s.Apply(tt.event) {
				got[v.EventID] = string(v.Outcome) + " " + string(v.Reason)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("verdicts %v, want %v", got, tt.want)
			}
		})
	}
}

func TestBlockedShareIsToldOfWhenReplaced(t *testing.T) {
	t.Parallel()
	s := after(share(1, "1", a))
	s.Park(s.Want(), reason.PersonUnknown)
	if got := s.Apply(share(1, "1", a)); len(got) != 0 {
		t.Errorf("the same share again: %+v", got)
	}
	got := s.Apply(share(2, "2", a))
	if len(got) != 1 || got[0].EventID != "1" || got[0].Outcome != event.Superseded {
		t.Errorf("verdicts %+v", got)
	}
	if s.Want().EventID != "2" || s.Blocked != "" {
		t.Error("the new share is not wanted")
	}
}
