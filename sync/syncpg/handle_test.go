package syncpg_test

import (
	"strings"
	"testing"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/reconcile"
	"contactsync/sync/syncpg"
)

// handles lets an operator handle all that is parked, and returns how much that was.
func (d *desk) handles(drop bool) int {
	d.t.Helper()
	all, _, err := d.store.ParkedAfter(d.t.Context(), "", syncpg.ParkedPlace{}, 10)
	if err != nil {
		d.t.Fatal(err)
	}
	done, err := d.store.Handle(d.t.Context(), all, syncpg.Handling{Drop: drop, Actor: operator, Ground: "mended"})
	if err != nil {
		d.t.Fatal(err)
	}
	return len(done)
}

var operator = event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-CSO1"}

// A register that was restored may show a million withdrawn details, and an operator may release as much.
func TestWhatIsMadeDueByTheThousandIsPaced(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	crowds := func(when, want string) {
		t.Helper()
		if got := d.one(`select count(*) filter (where crowd = 0) || ' of ' || count(*) from sync.due`); got != want {
			t.Errorf("%s %s stand among the first, want %s", when, got, want)
		}
	}
	ends := func(urgent bool, end func(plan.Target) push.Result) (findings []reconcile.Finding) {
		t.Helper()
		claims, err := d.store.Claim(t.Context(), 2*shareBatch, urgent, true)
		if err != nil {
			t.Fatal(err)
		}
		var ended []push.Ended
		for _, c := range claims {
			ended = append(ended, push.Ended{Claim: c, Result: end(c.Targets[0])})
			findings = append(findings, reconcile.Finding{Person: c.ID, Number: c.Person, Channel: c.Targets[0].Channel, Kind: reconcile.PresentAfterNo,
				Status: reconcile.Healing, Mark: c.Targets[0].Want.Mark()})
		}
		if lost, err := d.store.Finish(t.Context(), ended); err != nil || len(lost) > 0 {
			t.Fatal(lost, err)
		}
		return findings
	}
	for from := int64(0); from < 2*shareBatch; from += shareBatch {
		if err := d.store.Take(t.Context(), asWithdrawals(freshShares(from), portal)); err != nil {
			t.Fatal(err)
		}
	}
	findings := ends(true, func(target plan.Target) push.Result {
		return push.Result{Settled: []push.Settled{{Target: target, Outcome: event.Unchanged, Version: "20261127120000"}}}
	})
	r, err := d.store.Reconcile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	run, err := r.Begin(t.Context(), reconcile.Options{Fix: true}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Record(t.Context(), &run, reconcile.Step{Phase: run.Phase, Findings: findings}); err != nil {
		t.Fatal(err)
	}
	crowds("of the heals", "599 of 1000")

	d.sql(`delete from sync.due`)
	if err := d.store.Take(t.Context(), freshShares(2*shareBatch)); err != nil {
		t.Fatal(err)
	}
	ends(false, func(target plan.Target) push.Result {
		return push.Result{Parked: []push.Parked{{Target: target, Reason: reason.RegisterRefused}}}
	})
	all, _, err := d.store.ParkedAfter(t.Context(), reason.RegisterRefused, syncpg.ParkedPlace{}, shareBatch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.Handle(t.Context(), all, syncpg.Handling{Actor: operator, Ground: "mended"}); err != nil {
		t.Fatal(err)
	}
	crowds("of the released", "59 of 500")
}

func TestReleasedShareIsTriedAtOnceAndToldOfAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	d.parks(reason.RegisterRefused)
	if n := d.handles(false); n != 1 || d.handles(false) != 0 {
		t.Fatalf("released %d", n)
	}
	d.parks(reason.RegisterRefused)
	d.wantTold("1 parked register_refused", "1 parked register_refused")
	d.handles(false)
	for _, c := range d.claims(false) {
		d.finishes(c, pushed(c))
	}
	d.wantTold("1 parked register_refused", "1 parked register_refused", "1 pushed")
	want := "parked.release 00000000-0000-4000-8000-000000000001 released by support SE2321000016-CSO1: mended register_refused"
	if got := d.one(`select concat_ws(' ', action, ground, outcome, reason) from sync.audit where action like 'parked%' order by id limit 1`); got != want {
		t.Errorf("audit %q", got)
	}
}

func TestReleasedWithdrawalIsTriedAtOnceAndNeverDropped(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(withdraw(1))
	d.parks(reason.RegisterRefused)
	if n := d.handles(true); n != 0 || len(d.claims(true)) != 0 {
		t.Fatalf("dropped %d", n)
	}
	if n := d.handles(false); n != 1 {
		t.Fatalf("released %d", n)
	}
	claims := d.claims(true)
	if len(claims) != 1 || claims[0].Targets[0].Want.Kind != plan.Withdrawn {
		t.Errorf("claims %+v", claims)
	}
}

func TestDroppedShareIsNotBroughtBackByAReplay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	d.parks(reason.RegisterRefused)
	if n := d.handles(true); n != 1 {
		t.Fatalf("dropped %d", n)
	}
	d.receives(share(1))
	if got := d.claims(false); len(got) != 0 {
		t.Errorf("claimed %+v", got)
	}
	d.wantTold("1 parked register_refused", "1 parked dropped")
	if got := d.one(`select share_value from sync.channel`); got != "" {
		t.Errorf("the value is kept")
	}
	if got := strings.Join(d.parked("", 10), ", "); got != "true mobile dropped 000000000001 true" {
		t.Errorf("parked %q", got)
	}
	if b, err := d.store.Backlog(t.Context()); err != nil || len(b.Parked) != 0 {
		t.Errorf("counted %v, %v", b.Parked, err)
	}
	d.receives(share(2))
	if got := d.claims(false); len(got) != 1 {
		t.Errorf("a new one is not pushed")
	}
}

func TestGuardiansShareIsReleasedByAskingAtOnceAndDropped(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(record(byGuardian(1)))
	due := func() string { return d.one(`select (due_at <= now())::text from sync.ask`) }
	if _, err := d.pool.Exec(t.Context(), `update sync.ask set due_at = now() + interval '15 minutes'`); err != nil {
		t.Fatal(err)
	}
	if n := d.handles(false); n != 1 || due() != "true" {
		t.Errorf("released %d, asked at once %s", n, due())
	}
	if n := d.handles(true); n != 1 {
		t.Errorf("dropped %d", n)
	}
	d.receives(record(byGuardian(1)))
	d.wantTold("1 parked guardian_unconfirmed", "1 parked dropped")
	if got := d.one(`select waiting::text from sync.channel`); got != "[]" {
		t.Error("it waits again")
	}
}

// A worker that is at it meanwhile, for the other channel or a newer decision, finds what is released, or is left alone.
func TestReleaseBesideALease(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.receives(share(1))
	d.parks(reason.RegisterRefused)
	other := decision(true, 2)
	other.Channel, other.Value = "email", contactValue
	d.receives(record(other))
	claim := d.claims(false)[0]
	d.handles(false)
	if got := d.claims(false); len(got) != 0 {
		t.Error("a lease was taken away")
	}
	d.finishes(claim, pushed(claim))
	claims := d.claims(false)
	if len(claims) != 1 || len(claims[0].Targets) != 1 || claims[0].Targets[0].Channel != "mobile" {
		t.Errorf("claims %+v", claims)
	}
}

func TestHandlingSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, h := range []syncpg.Handling{{}, {Actor: operator}, {Ground: "mended"}} {
		if _, err := d.store.Handle(t.Context(), nil, h); err == nil {
			t.Errorf("%+v was taken", h)
		}
	}
}

var contactValue = contact.KnownValue("a@example.com")
