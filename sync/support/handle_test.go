package support_test

import (
	"errors"
	"fmt"
	"testing"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/support"
)

func (w *world) parking() support.Parking {
	return support.Parking{Sync: w.store, Pepper: []byte("test")}
}

// orders carries an order out as somebody who mended what was wrong.
func (w *world) orders(o support.Order) (support.Handled, error) {
	w.t.Helper()
	o.Actor, o.Ground = w.staff, "mended"
	return w.parking().Do(w.t.Context(), o, func(support.Handled) {})
}

// parkedRef is the pseudonym of a person with something parked.
func (w *world) parkedRef(p contact.PersonID) string { return event.Key([]byte("test"), p) }

func TestParkedIsReleasedAndDroppedByPseudonym(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disa := w.persons["deceased"]
	w.emits(disa, "+46701740608", nil)
	w.carry()
	ref := w.parkedRef(disa)
	if h, err := w.orders(support.Order{Ref: ref, DryRun: true}); err != nil || h.Done != 1 {
		t.Errorf("dry run: %+v, %v", h, err)
	}
	if got := w.mobile(disa).State; got.Stage != support.Parked {
		t.Errorf("after a dry run: %+v", got)
	}
	if h, err := w.orders(support.Order{Ref: ref}); err != nil || h.Done != 1 {
		t.Errorf("release: %+v, %v", h, err)
	}
	if got := w.mobile(disa).State; got.Stage != support.UnderWay {
		t.Errorf("after a release: %+v", got)
	}
	w.carry()
	if h, err := w.orders(support.Order{Ref: ref, Drop: true}); err != nil || h.Done != 1 {
		t.Errorf("drop: %+v, %v", h, err)
	}
	if got := w.mobile(disa).State; got != (support.State{Stage: support.Refused, Reason: reason.Dropped}) {
		t.Errorf("after a drop: %+v", got)
	}
	w.receive(w.emitted...)
	w.carry()
	if got := w.mobile(disa).State; got.Stage != support.Refused {
		t.Errorf("after a replay: %+v", got)
	}
	for _, drop := range []bool{false, true} {
		if _, err := w.orders(support.Order{Ref: ref, Drop: drop}); !errors.Is(err, support.ErrForGood) {
			t.Errorf("what is refused, drop %t: %v", drop, err)
		}
		if _, err := w.orders(support.Order{Ref: "0123", Drop: drop}); !errors.Is(err, support.ErrNoneParked) {
			t.Errorf("nobody's, drop %t: %v", drop, err)
		}
		if _, err := w.orders(support.Order{Reason: reason.Dropped, Drop: drop}); !errors.Is(err, support.ErrForGood) {
			t.Errorf("a reason for which all is refused, drop %t: %v", drop, err)
		}
		if _, err := w.orders(support.Order{Reason: reason.PersonDeceased, Drop: drop}); !errors.Is(err, support.ErrNoneParked) {
			t.Errorf("a reason that nothing is parked for, drop %t: %v", drop, err)
		}
	}
}

func TestNoIsNeverDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disa := w.persons["deceased"]
	w.emits(disa, "", func(d *event.Decision) { d.Share, d.Value, d.Reason = false, contact.Value{}, event.ReasonResident })
	w.carry()
	w.park(disa, reason.RegisterRefused)
	if _, err := w.orders(support.Order{Ref: w.parkedRef(disa), Drop: true}); !errors.Is(err, support.ErrWithdrawal) {
		t.Errorf("dropped: %v", err)
	}
	if h, err := w.orders(support.Order{Reason: reason.RegisterRefused, Drop: true}); !errors.Is(err, support.ErrWithdrawal) || h != (support.Handled{Withdrawals: 1}) {
		t.Errorf("all of the reason: %+v, %v", h, err)
	}
	if h, err := w.orders(support.Order{Reason: reason.RegisterRefused}); err != nil || h.Done != 1 {
		t.Errorf("release: %+v, %v", h, err)
	}
}

// Shares of a reason are dropped although there is a No of it too: that is no error, and it is told how many were kept.
func TestSharesAreDroppedBesideANo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	no, yes := w.persons["empty"], w.persons["deceased"]
	w.emits(no, "", func(d *event.Decision) { d.Share, d.Value, d.Reason = false, contact.Value{}, event.ReasonResident })
	w.emits(yes, "+46701740608", nil)
	w.carry()
	w.park(no, reason.PersonDeceased)
	if h, err := w.orders(support.Order{Reason: reason.PersonDeceased, Drop: true}); err != nil || h != (support.Handled{Done: 1, Withdrawals: 1}) {
		t.Errorf("%+v, %v", h, err)
	}
}

// park makes a withdrawal that is carried out one that the register refused.
func (w *world) park(p contact.PersonID, why reason.Code) {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), `update sync.channel set parked = $2, settled = '' where person_id = (select person_id from sync.person where extension = $1)`,
		p.RevealExtension(), string(why))
	w.must(err)
}

// More than two pages are released, each once, whatever else is parked.
func TestAllOfAReasonAreReleasedByThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const many = 1201
	_, err := w.pool.Exec(t.Context(), `
		with p as (insert into sync.person (root, extension) select '1.2.752.129.2.1.3.1', 'n' || i from generate_series(1, $1::int) i returning person_id)
		insert into sync.channel (person_id, channel, share_revision, share_event, share_source, share_value, share_decided_at, blocked, changed_at)
		select person_id, 'mobile', 1, 'e' || person_id, 'x', '+46701740608', now(), 'register_refused', now() from p`, many)
	w.must(err)
	w.emits(w.persons["deceased"], "+46701740608", nil)
	w.carry()
	told := 0
	h, err := w.parking().Do(t.Context(), support.Order{Reason: reason.RegisterRefused, Actor: w.staff, Ground: "mended"}, func(support.Handled) { told++ })
	if err != nil || h.Done != many || told != 3 {
		t.Errorf("%+v in %d pages, %v", h, told, err)
	}
	var got string
	w.must(w.pool.QueryRow(t.Context(), `select concat_ws(' ', (select count(*) from sync.due), (select count(*) from sync.channel where blocked <> ''),
		(select count(*) from sync.audit where action = 'parked.release'))`).Scan(&got))
	if got != fmt.Sprintf("%d 1 %d", many, many) {
		t.Errorf("due, parked, audited: %s", got)
	}
}

func TestOrderNamesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.orders(support.Order{}); err == nil {
		t.Error("an order about everything was taken")
	}
	if _, err := w.parking().Do(t.Context(), support.Order{Reason: reason.RegisterRefused, Actor: w.staff}, func(support.Handled) {}); err == nil {
		t.Error("an order without a ground was taken")
	}
}
