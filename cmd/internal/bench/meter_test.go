package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

// oneRecord is a register that takes every update of its one person.
type oneRecord struct{ record personv4.Record }

func (r *oneRecord) Get(context.Context, rivta.Caller, personv4.ID, bool) (*personv4.Record, error) {
	return &r.record, nil
}

func (r *oneRecord) Update(_ context.Context, _ rivta.Caller, u personv4.Update, _ bool) (personv4.Result, error) {
	r.record.Entries = u.Entries
	return personv4.Result{OK: true}, nil
}

func (r *oneRecord) Persons(_ context.Context, _ rivta.Caller, q personprofilev5.Query) ([]personprofilev5.Answer, error) {
	return []personprofilev5.Answer{{Asked: q.Persons[0], Person: &personprofilev5.Person{ID: q.Persons[0], Entries: r.record.Entries}}}, nil
}

var someone = digitsOf("198507099805")

// onePerson is a meter on one person who decides five times, on the mobile number only.
func onePerson() (*meter, func(values ...string)) {
	l := load{persons: []digits{someone}, channels: 1, decisions: 5, began: time.Unix(1000, 0)}
	one := &oneRecord{}
	m := newMeter(one, l, 0)
	m.profiles = one
	m.shownAt = make([]time.Time, l.decisions)
	code := register.DefaultCodes()[contact.Mobile]
	return m, func(values ...string) {
		u := personv4.Update{Person: someone.asked()}
		for _, v := range values {
			u.Entries = append(u.Entries, personv4.Entry{Type: code.Type, Use: &code.Use, Value: &v})
		}
		_, _ = m.Update(context.Background(), rivta.Caller{}, u, true)
	}
}

func isGiven(s *signal) bool {
	select {
	case <-s.c:
		return true
	default:
		return false
	}
}

func TestMeterTellsOrderAndRepetition(t *testing.T) {
	t.Parallel()
	m, write := onePerson()
	for _, step := range []int{0, 2, 1, 2, 2, 4} {
		if isGiven(m.all) {
			t.Fatal("the meter takes an old value for the newest")
		}
		write(value(contact.Mobile, step))
	}
	if m.pushes.Load() != 6 || m.outOfOrder.Load() != 1 || m.duplicates.Load() != 1 {
		t.Errorf("%d pushes, %d out of order, %d duplicates: want 6, 1, 1", m.pushes.Load(), m.outOfOrder.Load(), m.duplicates.Load())
	}
	if !isGiven(m.all) {
		t.Error("the newest value is there, and the meter does not see it")
	}
	for i, at := range m.shownAt {
		if at.IsZero() {
			t.Errorf("decision %d has no time, though a newer one is shown", i)
		}
	}
	if err := m.verify(t.Context(), false); err != nil {
		t.Error(err)
	}
}

// A benchmark that would report although the register is wrong is worth nothing.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	newest := value(contact.Mobile, 4)
	for name, write := range map[string]func(func(...string)){
		"an old value in the end":     func(w func(...string)) { w(newest); w(value(contact.Mobile, 3)) },
		"nothing":                     func(func(...string)) {},
		"removed again":               func(w func(...string)) { w(newest); w() },
		"a value that nobody chose":   func(w func(...string)) { w("+46701740604"); w(newest) },
		"two values of one channel":   func(w func(...string)) { w(newest, newest) },
		"the newest and an old value": func(w func(...string)) { w(newest, value(contact.Mobile, 1)) },
	} {
		m, do := onePerson()
		write(do)
		if m.verify(t.Context(), false) == nil {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

func TestOutcomesAreCountedOnce(t *testing.T) {
	t.Parallel()
	o := newOutcomes(70)
	for range 2 {
		for i := range 69 {
			o.note(event.Outcome{EventID: eventID(i), Outcome: event.Pushed}, time.Unix(1, 0))
		}
	}
	if o.told(70) != 69 || isGiven(o.all) {
		t.Errorf("%d told of, all: %v", o.told(70), isGiven(o.all))
	}
	o.note(event.Outcome{EventID: eventID(69), Outcome: event.Superseded}, time.Unix(2, 0))
	if !isGiven(o.all) || !o.all.at.Equal(time.Unix(2, 0)) || o.verify() != nil {
		t.Error("the last outcome does not end the wait")
	}
	o.note(event.Outcome{EventID: eventID(1), Outcome: event.Parked, Reason: reason.PersonUnknown}, time.Unix(3, 0))
	if err := o.verify(); err == nil || !strings.Contains(err.Error(), string(reason.PersonUnknown)) {
		t.Errorf("a parked decision is not told of: %v", err)
	}
}
