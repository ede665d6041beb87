package support_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/support"
)

func TestParkedTellsWhoOnlyWhenShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disa := w.persons["deceased"]
	nobody := contact.KnownPersonID(contact.RootPersonnummer, "198507099800") // its check digit is wrong
	w.emits(disa, "+46701740608", nil)
	w.emits(nobody, "+46701740605", func(d *event.Decision) { d.EventID = "198507099800 called" })
	w.carry()
	list, err := w.desk.Parked(t.Context(), "", 10)
	w.must(err)
	if len(list.Groups) != 2 || len(list.Decisions) != 2 {
		t.Fatalf("parked %+v", list)
	}
	for _, p := range list.Decisions {
		ref := w.desk.Pseudonym(p)
		if (ref == "") != p.Person.IsZero() {
			t.Errorf("pseudonym %q", ref)
		}
		if ref == "" {
			ref = w.desk.EventRef(p)
		}
		if strings.Contains(w.desk.EventRef(p), nobody.RevealExtension()) {
			t.Error("an identity in the reference of an event")
		}
		found, err := w.desk.ShowParked(t.Context(), ref, "The clinic asks", w.staff)
		if err != nil || len(found) != 1 || found[0] != p {
			t.Errorf("under %s: %+v, %v", ref, found, err)
		}
	}
	for _, ref := range []string{"", "0123", disa.RevealExtension()} {
		if _, err := w.desk.ShowParked(t.Context(), ref, "The clinic asks", w.staff); !errors.Is(err, support.ErrNoneParked) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if _, err := w.desk.ShowParked(t.Context(), "0123", " ", w.staff); err == nil {
		t.Error("shown without a ground")
	}
	want := []string{"parked show: nothing found", "parked show: nothing found", "parked show: nothing found",
		"parked show: shown: form_invalid:id", "parked show: shown: person_deceased"}
	got := w.audited()
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("audit (-want +got)\n" + diff)
	}
}

func TestPseudonymIsTheKeyOfTheEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disa := w.persons["deceased"]
	w.emits(disa, "+46701740608", nil)
	w.carry()
	list, err := w.desk.Parked(t.Context(), reason.PersonDeceased, 10)
	w.must(err)
	if got := w.desk.Pseudonym(list.Decisions[0]); got != event.Key([]byte("test"), disa) {
		t.Errorf("pseudonym %s", got)
	}
}

func TestEveryReasonSaysWhatReleasesIt(t *testing.T) {
	t.Parallel()
	for _, entry := range reason.List() {
		if text := support.Release(entry.Code); text.SV == "" || text.EN == "" {
			t.Errorf("%s: %+v", entry.Code, text)
		}
	}
}
