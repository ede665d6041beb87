package personv3

import (
	"encoding/xml"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// mobile is an entry with a number that ends so; notify is nil where nothing is said.
func mobile(ending string, notify *bool) personv4.Entry {
	return personv4.Entry{Type: "tel", Use: new("mobile"), Value: new("+467017406" + ending), DigitalNotification: notify}
}

func commented(e personv4.Entry, comment string) personv4.Entry {
	e.Comment = &comment
	return e
}

// sentOf is what a caller of this major sends of such entries.
func sentOf(entries ...personv4.Entry) Update { return Update{Entries: each(entries, shownEntry)} }

func TestWhatAnUpdateKeeps(t *testing.T) {
	t.Parallel()
	yes, no := new(true), new(false)
	for sentence, row := range map[string]struct {
		stored []personv4.Entry
		optout *bool
		sent   []personv4.Entry
		want   []*bool // notification of what comes of it, in the order of what was sent
		keeps  *bool   // the opt-out that comes of it
	}{
		"what is sent back as it was shown": {
			stored: []personv4.Entry{mobile("05", yes), mobile("06", no), mobile("07", nil)}, optout: yes,
			sent: []personv4.Entry{mobile("05", nil), mobile("06", nil), mobile("07", nil)},
			want: []*bool{yes, no, nil}, keeps: yes,
		},
		"in another order": {
			stored: []personv4.Entry{mobile("05", yes), mobile("06", no)},
			sent:   []personv4.Entry{mobile("06", nil), mobile("05", nil)}, want: []*bool{no, yes},
		},
		"with another comment": {
			stored: []personv4.Entry{mobile("05", yes)}, optout: yes,
			sent: []personv4.Entry{commented(mobile("05", nil), "evenings")}, want: []*bool{yes}, keeps: yes,
		},
		"nothing, of another number": {
			stored: []personv4.Entry{mobile("05", yes)}, optout: yes,
			sent: []personv4.Entry{mobile("06", nil)}, want: []*bool{nil}, keeps: no,
		},
		"nothing, of another use": {
			stored: []personv4.Entry{mobile("05", yes)},
			sent:   []personv4.Entry{{Type: "tel", Use: new("work"), Value: mobile("05", nil).Value}}, want: []*bool{nil},
		},
		"an entry whose empty use its stack has left out": {
			stored: []personv4.Entry{{Type: "tel", Use: new(""), Value: new("1"), DigitalNotification: yes}},
			sent:   []personv4.Entry{{Type: "tel", Value: new("1")}}, want: []*bool{yes},
		},
		"no opt-out when all entries are removed": {
			stored: []personv4.Entry{mobile("05", yes)}, optout: yes, keeps: no,
		},
		"no opt-out when the last notifiable entry is removed": {
			stored: []personv4.Entry{mobile("05", yes), mobile("06", no)}, optout: yes,
			sent: []personv4.Entry{mobile("06", nil)}, want: []*bool{no}, keeps: no,
		},
		"the opt-out when another notifiable entry is left": {
			stored: []personv4.Entry{mobile("05", yes), mobile("06", yes)}, optout: yes,
			sent: []personv4.Entry{mobile("06", nil)}, want: []*bool{yes}, keeps: yes,
		},
		"an opt-out that was declined": {stored: []personv4.Entry{mobile("05", yes)}, optout: no, keeps: no},
		"of equals each its own": {
			stored: []personv4.Entry{mobile("05", no), mobile("05", yes)},
			sent:   []personv4.Entry{mobile("05", nil), mobile("05", nil)}, want: []*bool{no, yes},
		},
		"of equals the notifiable one, when one is removed": {
			stored: []personv4.Entry{mobile("05", no), mobile("05", yes), mobile("05", nil)}, optout: yes,
			sent: []personv4.Entry{mobile("05", nil)}, want: []*bool{yes}, keeps: yes,
		},
		"of equals that are told apart by a comment the one that was meant": {
			stored: []personv4.Entry{mobile("05", yes), commented(mobile("05", no), "evenings")},
			sent:   []personv4.Entry{commented(mobile("05", nil), "evenings")}, want: []*bool{no},
		},
		"of equals the first, when one more is added": {
			stored: []personv4.Entry{mobile("05", yes)},
			sent:   []personv4.Entry{mobile("05", nil), mobile("05", nil)}, want: []*bool{yes, nil},
		},
		"of a changed and an unchanged equal each its own": {
			stored: []personv4.Entry{mobile("05", yes), mobile("05", no)},
			sent:   []personv4.Entry{mobile("05", nil), commented(mobile("05", nil), "evenings")}, want: []*bool{yes, no},
		},
	} {
		got := sentOf(row.sent...).Over(personv4.Record{Entries: row.stored, OptoutPaper: row.optout})
		want := each(row.sent, func(e personv4.Entry) personv4.Entry { return e })
		for i := range want {
			want[i].DigitalNotification = row.want[i]
		}
		if diff := cmp.Diff(want, got.Entries); diff != "" {
			t.Errorf("%s: entries (-want +got):\n%s", sentence, diff)
		}
		if diff := cmp.Diff(row.keeps, got.OptoutPaper); diff != "" {
			t.Errorf("%s: opt-out (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestContactPersonsKeepWhatIsTheirs(t *testing.T) {
	t.Parallel()
	person := func(relationship, name string, notify *bool) personv4.ContactPerson {
		return personv4.ContactPerson{Relationship: relationship, GivenName: &name, Entries: []personv4.Entry{mobile("05", notify)}}
	}
	stored := []personv4.ContactPerson{person("parent", "Kim", new(true)), person("parent", "Bo", new(false)), person("child", "Kim", nil)}
	first := person("parent", "Kim", nil)
	first.PriorityOrder = new(1)
	update := Update{ContactPersons: each([]personv4.ContactPerson{
		person("parent", "Bo", nil), person("neighbour", "Lo", nil), first}, shownContactPerson)}
	want := []personv4.ContactPerson{person("parent", "Bo", new(false)), person("neighbour", "Lo", nil), first}
	want[2].Entries = stored[0].Entries
	if diff := cmp.Diff(want, update.Over(personv4.Record{ContactPersons: stored}).ContactPersons); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWritingBackChangesNothing draws records with many equals among their entries.
func TestWritingBackChangesNothing(t *testing.T) {
	t.Parallel()
	entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) personv4.Entry {
		e := mobile(rapid.SampledFrom([]string{"05", "06"}).Draw(t, "number"), rapid.Ptr(rapid.Bool(), true).Draw(t, "notification"))
		e.Comment = rapid.Ptr(rapid.SampledFrom([]string{"a", "b"}), true).Draw(t, "comment")
		return e
	}), 0, 8)
	rapid.Check(t, func(t *rapid.T) {
		stored := personv4.Record{Entries: entries.Draw(t, "entries"), OptoutPaper: rapid.Ptr(rapid.Bool(), true).Draw(t, "opt-out")}
		stored.ContactPersons = []personv4.ContactPerson{{Relationship: "child", Entries: entries.Draw(t, "of a child")},
			{Relationship: "child", Entries: entries.Draw(t, "of another child")}}
		read := shown(stored)
		update := Update{Entries: read.Entries, ContactPersons: read.ContactPersons}.Over(stored)
		notifiable := false
		for _, e := range stored.Entries {
			notifiable = notifiable || mayNotify(e)
		}
		if isTrue(stored.OptoutPaper) && !notifiable { // a record that should not be: it is put right
			stored.OptoutPaper = new(false)
		}
		if len(stored.Entries) == 0 {
			stored.Entries = nil
		}
		for i := range stored.ContactPersons {
			if len(stored.ContactPersons[i].Entries) == 0 {
				stored.ContactPersons[i].Entries = nil
			}
		}
		want := personv4.Update{Entries: stored.Entries, ContactPersons: stored.ContactPersons, OptoutPaper: stored.OptoutPaper}
		if diff := cmp.Diff(want, update); diff != "" {
			t.Fatalf("(-stored +written back):\n%s", diff)
		}
	})
}

// TestManyEqualEntries has as many as fit into a record: pairs must not compare each with each.
func TestManyEqualEntries(t *testing.T) {
	t.Parallel()
	const many = 5_000
	stored := make([]personv4.Entry, many)
	for i := range stored {
		stored[i] = mobile("05", new(i%2 == 0))
	}
	if got := sentOf(stored...).Over(personv4.Record{Entries: stored}); len(got.Entries) != many || !mayNotify(got.Entries[0]) {
		t.Error("not all that was stored came back")
	}
}

func TestProtectedRegistrationLooksSecret(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		record personv4.Record
		want   bool
	}{
		"neither":                 {personv4.Record{}, false},
		"secrecy":                 {personv4.Record{ProtectedPerson: true}, true},
		"protected registration":  {personv4.Record{ProtectedPopulation: new(true)}, true},
		"registered as all":       {personv4.Record{ProtectedPopulation: new(false)}, false},
		"secrecy, not registered": {personv4.Record{ProtectedPerson: true, ProtectedPopulation: new(false)}, true},
	} {
		if got := shown(row.record).ProtectedPerson; got != row.want {
			t.Errorf("%s: marked %v, want %v", sentence, got, row.want)
		}
	}
}

func TestElementsThatNotAllMajorsCanCarry(t *testing.T) {
	t.Parallel()
	of := func(space string) []rivta.Element { return []rivta.Element{{Name: xml.Name{Space: space, Local: "a"}}} }
	in := func(space string) string { return `<any><a xmlns="` + space + `"/></any>` }
	for sentence, place := range map[string]func(space string) personv4.Update{
		"the update": func(s string) personv4.Update { return personv4.Update{Unknown: of(s)} },
		"an entry":   func(s string) personv4.Update { return personv4.Update{Entries: []personv4.Entry{{Unknown: of(s)}}} },
		"a period": func(s string) personv4.Update {
			return personv4.Update{Entries: []personv4.Entry{{Period: &personv4.Period{Unknown: of(s)}}}}
		},
		"a contact person": func(s string) personv4.Update {
			return personv4.Update{ContactPersons: []personv4.ContactPerson{{Unknown: of(s)}}}
		},
		"an address": func(s string) personv4.Update {
			return personv4.Update{ContactPersons: []personv4.ContactPerson{{Address: &personv4.Address{Unknown: of(s)}}}}
		},
		"an entry of a contact person": func(s string) personv4.Update {
			return personv4.Update{ContactPersons: []personv4.ContactPerson{{Entries: []personv4.Entry{{Unknown: of(s)}}}}}
		},
		"the actor": func(s string) personv4.Update { return personv4.Update{Actor: personv4.Actor{Unknown: of(s)}} },
		"the actor's identity": func(s string) personv4.Update {
			return personv4.Update{Actor: personv4.Actor{ID: personv4.ID{Unknown: in(s)}}}
		},
		"the actor's profession": func(s string) personv4.Update {
			return personv4.Update{Actor: personv4.Actor{Professional: &personv4.Professional{Unknown: of(s)}}}
		},
		"the actor's organisation": func(s string) personv4.Update {
			return personv4.Update{Actor: personv4.Actor{Professional: &personv4.Professional{Organization: personv4.ID{Unknown: in(s)}}}}
		},
		"the person's identity": func(s string) personv4.Update { return personv4.Update{Person: personv4.ID{Unknown: in(s)}} },
	} {
		for _, space := range []string{Namespace, personv4.Namespace} {
			if Portable(place(space)) {
				t.Errorf("%s may hold an element of %s", sentence, space)
			}
		}
		if !Portable(place("urn:example:elsewhere")) {
			t.Errorf("%s may hold no element of another namespace", sentence)
		}
	}
}
