package plan_test

import (
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

func person(extension string) contact.PersonID {
	return contact.KnownPersonID(contact.RootPersonnummer, extension)
}

// The child's thirteenth birthday is 2030-01-01.
var (
	child    = person("201701012393")
	vera     = person("198507099805")
	oldVera  = contact.KnownPersonID(contact.RootSamordningsnummer, "198507699802")
	stranger = person("197205179802")
	on       = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
)

// veras is a share that vera decided for the child.
func veras(revision int64, id string) plan.Event {
	e := guardianShare(revision, id, a)
	e.Share.Guardian, e.Share.DecidedAt = vera, on
	return e
}

// custody is the register's usual answer: vera has custody of the child.
func custody() plan.Answer {
	return plan.Answer{
		Person:    &plan.Profile{Primary: child, Guardians: []contact.PersonID{vera}},
		Guardians: map[contact.PersonID]*plan.Profile{vera: {Primary: vera}},
	}
}

func TestGuardianMayDecide(t *testing.T) {
	t.Parallel()
	const waits, allowed, refused = "waits", "takes part", "refused"
	tests := []struct {
		name   string
		change func(*plan.Answer, *plan.Share)
		want   string
	}{
		{"guardian of a child", func(*plan.Answer, *plan.Share) {}, allowed},
		{"one guardian of two", func(a *plan.Answer, _ *plan.Share) { a.Person.Guardians = []contact.PersonID{stranger, vera} }, allowed},
		{"nobody's guardian", func(a *plan.Answer, _ *plan.Share) { a.Person.Guardians = nil }, refused},
		{"not the guardian", func(a *plan.Answer, _ *plan.Share) { a.Person.Guardians = []contact.PersonID{stranger} }, refused},
		{"the child itself as its guardian", func(a *plan.Answer, s *plan.Share) {
			s.Guardian, a.Guardians[child] = child, a.Person
		}, refused},
		{"the day before the thirteenth birthday", func(_ *plan.Answer, s *plan.Share) { s.DecidedAt = time.Date(2029, 12, 31, 23, 59, 0, 0, time.UTC) }, allowed},
		{"the thirteenth birthday", func(_ *plan.Answer, s *plan.Share) { s.DecidedAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }, refused},
		{"decided at 12, asked about at 13", func(_ *plan.Answer, s *plan.Share) { s.DecidedAt = on }, allowed},
		{"older by the number that counts now", func(a *plan.Answer, _ *plan.Share) { a.Person.Primary = person("201001012396") }, refused},
		{"decided for under an old number that says older", func(_ *plan.Answer, s *plan.Share) { s.Under = person("201001012396") }, refused},
		{"protected child", func(a *plan.Answer, _ *plan.Share) { a.Person.Protected = true }, refused},
		{"protected guardian", func(a *plan.Answer, _ *plan.Share) { a.Guardians[vera].Protected = true }, refused},
		{"dead guardian", func(a *plan.Answer, _ *plan.Share) { a.Guardians[vera].Deceased = true }, refused},
		{"dead child: the push will tell", func(a *plan.Answer, _ *plan.Share) { a.Person.Deceased = true }, allowed},
		{"custody under the guardian's old number", func(a *plan.Answer, _ *plan.Share) {
			a.Person.Guardians, a.Guardians[vera].Others = []contact.PersonID{oldVera}, []contact.PersonID{oldVera}
		}, allowed},
		{"unknown child", func(a *plan.Answer, _ *plan.Share) { a.Person = nil }, waits},
		{"unknown stranger", func(a *plan.Answer, _ *plan.Share) { a.Person.Guardians, a.Guardians[vera] = nil, nil }, refused},
		{"unknown guardian", func(a *plan.Answer, _ *plan.Share) { a.Guardians[vera] = nil }, waits},
		{"guardian who was not asked about", func(a *plan.Answer, _ *plan.Share) { delete(a.Guardians, vera) }, waits},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, answer := veras(2, "2"), custody()
			tt.change(&answer, e.Share)
			s := after(e)
			verdicts, judged := s.Judge(child, answer)
			got := waits
			switch {
			case len(judged) == 1 && judged[0].Confirmed && s.Want().EventID == "2" && len(verdicts)+len(s.Waiting) == 0:
				got = allowed
			case len(judged) == 1 && !judged[0].Confirmed && s.Want().Kind == plan.Unasked && len(s.Waiting) == 0 && len(verdicts) == 1 &&
				verdicts[0].Outcome == event.Parked && verdicts[0].Reason == reason.GuardianNotAllowed && verdicts[0].EventID == "2":
				got = refused
			case len(judged)+len(verdicts) > 0 || len(s.Waiting) != 1:
				got = "muddled"
			}
			if got != tt.want {
				t.Errorf("%s, want %s; verdicts %+v", got, tt.want, verdicts)
			}
		})
	}
}

func TestConfirmedShareAmongOtherDecisions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events []plan.Event
		kind   plan.Kind
		by     string
	}{
		{"replaces an older one", []plan.Event{share(1, "1", b), veras(2, "2")}, plan.Shared, "2"},
		{"is newer than a withdrawal", []plan.Event{withdraw(1, "1", b), veras(2, "2")}, plan.Shared, "2"},
		{"loses against a withdrawal that came while it waited", []plan.Event{veras(2, "2"), withdraw(3, "3", b)}, plan.Withdrawn, "3"},
		{"loses against a guardian's withdrawal, which waits for nobody", []plan.Event{veras(2, "2"), withdraw(2, "3", a)}, plan.Withdrawn, "3"},
		{"loses against what the child decided itself", []plan.Event{veras(2, "2"), share(3, "3", a)}, plan.Shared, "3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := after(tt.events...)
			s.Judge(child, custody())
			if w := s.Want(); w.Kind != tt.kind || w.EventID != tt.by {
				t.Errorf("want is %d by %q, not %d by %q", w.Kind, w.EventID, tt.kind, tt.by)
			}
		})
	}
}

func TestConfirmationHoldsForOneDecision(t *testing.T) {
	t.Parallel()
	s := after(veras(1, "1"))
	s.Judge(child, custody())
	if got := s.Apply(veras(1, "1")); len(got) != 0 || len(s.Waiting) != 0 {
		t.Errorf("the confirmed one comes again: %+v", got)
	}
	s.Apply(veras(2, "2"))
	if s.Want().EventID != "1" || len(s.Waiting) != 1 {
		t.Error("the guardian's next share takes part without having been confirmed")
	}
}

func TestOfTwoGuardiansTheNewerOneCounts(t *testing.T) {
	t.Parallel()
	second := veras(1, "1")
	second.Share.Guardian = stranger
	for _, events := range [][]plan.Event{{veras(2, "2"), second}, {second, veras(2, "2")}} {
		s, answer := after(events...), custody()
		answer.Person.Guardians, answer.Guardians[stranger] = append(answer.Person.Guardians, stranger), &plan.Profile{Primary: stranger}
		verdicts, _ := s.Judge(child, answer)
		if len(verdicts) != 1 || verdicts[0].EventID != "1" || verdicts[0].Outcome != event.Superseded || s.Want().EventID != "2" {
			t.Errorf("verdicts %+v", verdicts)
		}
	}
}
