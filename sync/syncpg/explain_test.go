package syncpg_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

func TestExplainTellsWhatIsKeptAndDue(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	explain := func() syncpg.Explanation {
		t.Helper()
		e, err := d.store.Explain(t.Context(), tove)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := explain(); len(e.States) != 0 || e.Due != nil {
		t.Errorf("of nobody: %+v", e)
	}
	d.receives(share(5), withdraw(6))
	e := explain()
	if s := e.States[contact.Mobile]; s.Share == nil || s.Share.Revision != 5 || s.Withdrawal == nil || s.Withdrawal.Revision != 6 || len(e.States) != 1 {
		t.Errorf("states %+v", e.States)
	}
	if e.Due == nil || e.Due.Since.IsZero() || e.Due.Attempts != 0 {
		t.Errorf("due %+v", e.Due)
	}
	d.finishes(d.claims(true)[0], push.Result{RetryIn: time.Hour})
	if e := explain(); e.Due == nil || e.Due.Attempts != 1 || e.Due.Next.Sub(e.Due.Since) < 30*time.Minute {
		t.Errorf("after an attempt: due %+v", e.Due)
	}
}

// parked gives "person channel reason event refused" of the newest decisions that are parked.
func (d *desk) parked(why reason.Code, limit int) []string {
	d.t.Helper()
	list, err := d.store.Parked(d.t.Context(), why, limit)
	if err != nil {
		d.t.Fatal(err)
	}
	out := []string{}
	for _, p := range list {
		if p.Since.IsZero() {
			d.t.Errorf("since when is %s parked?", p.Reason)
		}
		out = append(out, fmt.Sprintf("%t %s %s %s %t", p.Person == tove || p.Person == child, p.Channel, p.Reason, p.EventID[24:], p.Refused))
	}
	return out
}

// parks lets the register refuse all that is due.
func (d *desk) parks(why reason.Code) {
	d.t.Helper()
	for _, c := range append(d.claims(true), d.claims(false)...) {
		var r push.Result
		for _, t := range c.Targets {
			r.Parked = append(r.Parked, push.Parked{Target: t, Reason: why})
		}
		d.finishes(c, r)
	}
}

func TestParkedListsAllKindsTheNewestFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	waiting := byGuardian(3)
	waiting.Channel, waiting.Value = contact.Email, contact.KnownValue("barn@example.se")
	bad, nobody := decision(true, 4), decision(true, 5)
	bad.Value = contact.KnownValue("08-465 004 99")
	nobody.Person = contact.KnownPersonID(contact.RootPersonnummer, "197205179803")
	d.receives(record(nobody))
	d.receives(record(bad))
	d.receives(record(waiting))
	d.receives(withdraw(1))
	d.parks(reason.PersonDeceased)
	if got, want := d.parked(reason.PersonDeceased, 9), []string{"true mobile person_deceased 000000000001 false"}; cmp.Diff(want, got) != "" {
		t.Errorf("a withdrawal that is tried on: %q", got)
	}
	d.receives(share(2))
	d.parks(reason.RegisterRefused)
	want := []string{
		"true mobile register_refused 000000000002 false",
		"true email guardian_unconfirmed 000000000003 false",
		"true mobile value_invalid:mobile_fixed_line 000000000004 true",
		"false mobile form_invalid:identity_check_digit 000000000005 true",
	}
	if diff := cmp.Diff(want, d.parked("", 9)); diff != "" {
		t.Error("parked (-want +got)\n" + diff)
	}
	if diff := cmp.Diff(want[:2], d.parked("", 2)); diff != "" {
		t.Error("the first two (-want +got)\n" + diff)
	}
	if diff := cmp.Diff(want[1:2], d.parked(reason.GuardianUnconfirmed, 9)); diff != "" {
		t.Error("of one reason (-want +got)\n" + diff)
	}
}

func TestParkedGroupsCountWhatIsListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	bad := decision(true, 4)
	bad.Value = contact.KnownValue("08-465 004 99")
	again := bad
	again.EventID = decision(true, 5).EventID
	d.receives(record(bad), record(again), withdraw(1))
	d.parks(reason.PersonDeceased)
	groups, err := d.store.ParkedGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, g := range groups {
		got = append(got, fmt.Sprint(g.Count, " ", g.Reason, " ", time.Since(g.Oldest) < time.Hour))
	}
	want := []string{"2 value_invalid:mobile_fixed_line true", "1 person_deceased true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("groups (-want +got)\n" + diff)
	}
}
