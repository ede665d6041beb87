package contracttest

import (
	"encoding/xml"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// sharedSentences hold for all majors together, on one record.
func sharedSentences() map[string]sentence {
	return map[string]sentence{
		"all majors show the same record":                                run.sameRecord,
		"what one major writes the other reads":                          run.acrossMajors,
		"an update through v3 keeps what v3 cannot express":              run.v3KeepsTheRest,
		"an update through v3 ends the opt-out with the last notifiable": run.v3EndsOptout,
		"an update through v3 of a version that v4 replaced is stale":    run.v3Stale,
		"of updates of one version through both, one is carried out":     run.oneWinnerOfBoth,
		"protected registration looks secrecy-marked in v3":              run.protectedInV3,
		"elements of a major's own namespace do not pass as unknown":     run.ownNamespaces,
	}
}

func (r run) v3(t *testing.T) client {
	return third().client(t, r.served, r.System, r.LogicalAddress, false)
}

// through reads and writes as another client does.
func (r run) through(c client) run {
	r.client = c
	return r
}

// rich gives Rich all that v3 cannot express, and returns the record.
func (r run) rich(t *testing.T) personv4.Record {
	t.Helper()
	update := Unchanged(r.record(t, r.Rich))
	silent := Mobile()
	silent.Value, silent.DigitalNotification = new("+46701740606"), new(false)
	update.Entries = append([]personv4.Entry{Mobile(), silent}, update.Entries...)
	update.ContactPersons[0].Entries = append([]personv4.Entry{Mobile()}, update.ContactPersons[0].Entries...)
	update.OptoutPaper = new(true)
	return r.update(t, update)
}

func (r run) sameRecord(t *testing.T) {
	want := r.rich(t)
	want.OptoutPaper, want.ProtectedPopulation, want.Actor.UpdateTime = nil, nil, ""
	for i := range want.Entries {
		want.Entries[i] = third().shown(want.Entries[i])
	}
	for i := range want.ContactPersons[0].Entries {
		want.ContactPersons[0].Entries[i] = third().shown(want.ContactPersons[0].Entries[i])
	}
	if diff := cmp.Diff(want, r.through(r.v3(t)).record(t, r.Rich)); diff != "" {
		t.Errorf("(-as v4 shows it +as v3 does):\n%s", diff)
	}
}

func (r run) acrossMajors(t *testing.T) {
	third := r.through(r.v3(t))
	update := Unchanged(third.record(t, r.Rich))
	added := Mobile()
	added.DigitalNotification = nil
	added.Unknown = []rivta.Element{{Name: xml.Name{Space: "urn:example:third", Local: "kept"}, Text: " as it is\n"}}
	update.Entries = append(update.Entries, added)
	update.Unknown = append(update.Unknown, added.Unknown...)
	written := third.update(t, update)
	read := r.record(t, r.Rich)
	if diff := cmp.Diff(update.Entries, read.Entries); diff != "" || written.Version != read.Version {
		t.Errorf("versions %s and %s; entries (-written in v3 +read in v4):\n%s", written.Version, read.Version, diff)
	}
	if diff := cmp.Diff(update.Unknown, read.Unknown); diff != "" {
		t.Errorf("unknown elements (-written in v3 +read in v4):\n%s", diff)
	}
	back := Unchanged(read)
	back.Entries[len(back.Entries)-1].Unknown[0].Text = "changed"
	r.update(t, back)
	if last := third.record(t, r.Rich).Entries[len(update.Entries)-1]; last.Unknown[0].Text != "changed" {
		t.Error("v3 does not show the unknown element that v4 wrote")
	}
}

func (r run) v3KeepsTheRest(t *testing.T) {
	before := r.rich(t)
	third := r.through(r.v3(t))
	third.update(t, Unchanged(third.record(t, r.Rich)))
	if diff := cmp.Diff(Rest(t, before), Rest(t, r.record(t, r.Rich))); diff != "" {
		t.Errorf("an update through v3 that changes nothing (-before +after):\n%s", diff)
	}
	update := Unchanged(third.record(t, r.Rich))
	update.Entries[0].Comment = new("the same, with a comment")
	update.Entries = append(update.Entries[:1], update.Entries[2:]...)
	third.update(t, update)
	want := before
	want.Entries = append([]personv4.Entry{before.Entries[0]}, before.Entries[2:]...)
	want.Entries[0].Comment = new("the same, with a comment")
	if diff := cmp.Diff(Rest(t, want), Rest(t, r.record(t, r.Rich))); diff != "" {
		t.Errorf("an entry removed and one changed through v3 (-want +got):\n%s", diff)
	}
}

func (r run) v3EndsOptout(t *testing.T) {
	update := Unchanged(r.record(t, r.Person))
	update.Entries, update.OptoutPaper = []personv4.Entry{Mobile()}, new(true)
	r.update(t, update)
	third := r.through(r.v3(t))
	without := Unchanged(third.record(t, r.Person))
	without.Entries = nil
	third.update(t, without)
	if record := r.record(t, r.Person); record.OptoutPaper == nil || *record.OptoutPaper || len(record.Entries) != 0 {
		t.Error("the entry is still there, or the opt-out that it was the ground of")
	}
}

func (r run) v3Stale(t *testing.T) {
	third := r.through(r.v3(t))
	stale := Unchanged(third.record(t, r.Person))
	stale.Entries = []personv4.Entry{{Type: "mail", Value: new("third@example.se")}}
	update := Unchanged(r.record(t, r.Person))
	update.Entries = []personv4.Entry{Mobile()}
	r.update(t, update)
	third.refused(t, "stale_version", stale)
}

func (r run) oneWinnerOfBoth(t *testing.T) {
	const rivals = 4
	update := Unchanged(r.record(t, r.Person))
	answers := make(chan personv4.Result, 2*rivals)
	for _, c := range []client{r.client, r.v3(t)} {
		for range rivals {
			go func() {
				result, err := c.Update(t.Context(), update)
				if err != nil {
					t.Error(err)
				}
				answers <- result
			}()
		}
	}
	winners := 0
	for range 2 * rivals {
		if result := <-answers; result.OK {
			winners++
		} else if result.Code != "stale_version" {
			t.Errorf("a loser is told %q", result.Code)
		}
	}
	if winners != 1 {
		t.Errorf("%d updates of one version were carried out", winners)
	}
}

func (r run) protectedInV3(t *testing.T) {
	whole := r.record(t, r.Registration)
	if whole.ProtectedPerson || !whole.Protected() || len(whole.Entries) == 0 {
		t.Fatal("Registration is not what the suite asks for")
	}
	shown := r.through(r.v3(t)).record(t, r.Registration)
	if !shown.ProtectedPerson || len(shown.Entries) != len(whole.Entries) {
		t.Error("the Unrestricted contract does not show the record as that of a secrecy-marked person")
	}
	restricted := third().client(t, r.served, r.System, r.LogicalAddress, true)
	blank, err := restricted.Get(t.Context(), r.Registration)
	if err != nil || blank == nil || !blank.ProtectedPerson || len(blank.Entries) != 0 {
		t.Errorf("restricted read: error %v, or not the mark alone", err)
	}
	result, err := restricted.Update(t.Context(), Unchanged(shown))
	if err != nil || result.OK || result.Code != "protected_person" {
		t.Errorf("restricted update: OK %v, code %q, error %v", result.OK, result.Code, err)
	}
	r.through(r.v3(t)).update(t, Unchanged(shown))
	if diff := cmp.Diff(Rest(t, whole), Rest(t, r.record(t, r.Registration))); diff != "" {
		t.Errorf("an update through v3 changed a protected person's record (-before +after):\n%s", diff)
	}
}

// ownNamespaces: what v4 knows is unknown to v3, and the other way about, but a record that held it as unknown could be shown by
// one of them only. So with the namespaces of the twins' requests.
func (r run) ownNamespaces(t *testing.T) {
	for _, space := range []string{personv3.Namespace, personv4.Namespace, personv3.UpdateOperation(false).Namespace(),
		personv4.UpdateOperation(false).Namespace()} {
		for name, c := range map[string]client{"v4": r.client, "v3": r.v3(t)} {
			update := Unchanged(r.record(t, r.Person))
			update.Unknown = []rivta.Element{{Name: xml.Name{Space: space, Local: "digitalNotification"}, Text: "true"}}
			_, err := c.Update(t.Context(), update)
			wantFault(t, err, rivta.FaultClient, "")
			if t.Failed() {
				t.Fatalf("through %s: an element of %s", name, space)
			}
		}
	}
}
