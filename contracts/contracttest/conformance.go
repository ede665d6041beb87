package contracttest

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/personv4"
)

// Register is a register under test, with persons in the states that the suite asks about.
type Register struct {
	Handler        http.Handler
	LogicalAddress string
	System         string // HSA-id of a caller that may do everything
	Stranger       string // HSA-id of a caller that may do nothing
	// Limited is the HSA-id of a caller that may read and write by the REST contract, protected persons excepted. Empty: the register
	// serves neither that contract nor profiles.
	Limited      string
	Person       personv4.ID
	Rich         personv4.ID // record holds contact persons, and unknown elements in itself, an entry and a contact person
	Protected    personv4.ID // unlike Person, and with a number of its own
	Registration personv4.ID // protected by population registration, and not secrecy-marked; with a number of its own
	Deceased     personv4.ID
	Unknown      personv4.ID // well-formed, and nobody's
}

// Conformance is what every register must pass: the same through each major, and on the same records through all contracts that
// it serves. Each test gets a register of its own.
func Conformance(t *testing.T, newRegister func(t *testing.T) Register) {
	t.Helper()
	for _, c := range majors() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conform(t, newRegister, c, sentences(c))
		})
	}
	t.Run("all majors", func(t *testing.T) {
		t.Parallel()
		conform(t, newRegister, newest(), sharedSentences())
	})
	t.Run("all contracts", func(t *testing.T) {
		t.Parallel()
		conform(t, newRegister, newest(), pairSentences())
	})
}

type sentence = func(run, *testing.T)

// sentences hold for each major by itself.
func sentences(c contract) map[string]sentence {
	all := map[string]sentence{
		"a known person has a record":                        run.knownPerson,
		"an unknown person has none, and no fault":           run.unknownPerson,
		"what was written is read, with version and actor":   run.writeAndRead,
		"read, modify, write keeps everything else":          run.keepsEverything,
		"an update that changes nothing makes a new version": run.newVersionWithoutChange,
		"an update of a stale version is refused":            run.staleVersion,
		"an update without a version is refused":             run.missingVersion,
		"of updates of one version, one is carried out":      run.oneWinner,
		"an update of a deceased person is refused":          run.deceased,
		"an update of an unknown person is refused":          run.updateUnknownPerson,
		"the restricted contracts hide a protected person":   run.protected,
		"a caller without permission gets VP007":             run.stranger,
		"a wrong logical address gets VP004":                 run.wrongAddress,
		"a malformed identity is the caller's fault":         run.malformedIdentity,
		"a malformed message is the caller's fault":          run.malformedMessages,
		"a huge message is refused before its sender's eyes": run.hugeMessage,
		"the WSDL is served to whoever may connect":          run.wsdl,
	}
	if c.full {
		all["paper is opted out of only with notification"] = run.paper
	}
	return all
}

func conform(t *testing.T, newRegister func(t *testing.T) Register, c contract, sentences map[string]sentence) {
	for sentence, test := range sentences {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			register := newRegister(t)
			served := Serve(t, register.Handler)
			test(run{register, served, c, c.client(t, served, register.System, register.LogicalAddress, false)}, t)
		})
	}
}

// run is one test's register with a client that may do everything.
type run struct {
	Register
	served   Served
	contract contract
	client   client
}

func (r run) record(t *testing.T, person personv4.ID) personv4.Record {
	t.Helper()
	record, err := r.client.Get(t.Context(), person)
	if err != nil || record == nil {
		t.Fatalf("Get gave no record: %v", err)
	}
	if record.Person != person {
		t.Error("Get gave the record of somebody else")
	}
	return *record
}

// Unchanged is the update that writes back what was read, by the person itself.
func Unchanged(record personv4.Record) personv4.Update {
	return personv4.Update{
		Actor:           personv4.Actor{ID: record.Person},
		Person:          record.Person,
		VersionToUpdate: record.Version,
		Entries:         record.Entries,
		ContactPersons:  record.ContactPersons,
		OptoutPaper:     record.OptoutPaper,
		Unknown:         record.Unknown,
	}
}

func (r run) update(t *testing.T, update personv4.Update) personv4.Record {
	t.Helper()
	result, err := r.client.Update(t.Context(), update)
	if err != nil || !result.OK {
		t.Fatalf("Update was refused: %q %v", result.Code, err)
	}
	record := r.record(t, update.Person)
	if result.Record != nil && Wire(t, *result.Record) != Wire(t, record) {
		t.Error("the record in the answer is not the one that is read afterwards")
	}
	return record
}

// refused checks that the update is refused for that reason and changes nothing.
func (r run) refused(t *testing.T, code string, update personv4.Update) {
	t.Helper()
	before, _ := r.client.Get(t.Context(), update.Person)
	result, err := r.client.Update(t.Context(), update)
	if err != nil {
		t.Fatalf("Update: %v, want an ERROR result", err)
	}
	if result.OK || result.Code != code || result.Text == "" {
		t.Errorf("OK %v, code %q, with text %v; want an ERROR with code %q and a text", result.OK, result.Code, result.Text != "", code)
	}
	after, _ := r.client.Get(t.Context(), update.Person)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a refused update changed the record (-before +after):\n%s", diff)
	}
}

// Wire is the record as it travels.
func Wire(t *testing.T, record personv4.Record) string {
	t.Helper()
	text, err := personv4.MarshalRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Rest is the record as it travels, apart from what every update changes: version and actor.
func Rest(t *testing.T, record personv4.Record) string {
	t.Helper()
	record.Version, record.Actor = "20000101000000", nil
	return Wire(t, record)
}

// Mobile is an entry with a fictional number.
func Mobile() personv4.Entry {
	return personv4.Entry{Type: "tel", Use: new("mobile"), Value: new("+46701740605"), DigitalNotification: new(true)}
}

func (r run) knownPerson(t *testing.T) {
	if version := r.record(t, r.Person).Version; len(version) != 14 {
		t.Errorf("version %q is not of 14 characters", version)
	}
}

func (r run) unknownPerson(t *testing.T) {
	record, err := r.client.Get(t.Context(), r.Unknown)
	if record != nil || err != nil {
		t.Errorf("a record: %v, error: %v; want neither", record != nil, err)
	}
}

func (r run) writeAndRead(t *testing.T) {
	before := r.record(t, r.Person)
	update := Unchanged(before)
	update.Entries = append(update.Entries, r.contract.shown(Mobile()))
	after := r.update(t, update)
	if diff := cmp.Diff(update.Entries, after.Entries); diff != "" {
		t.Errorf("entries (-written +read):\n%s", diff)
	}
	if after.Version <= before.Version {
		t.Errorf("version %s does not come after %s", after.Version, before.Version)
	}
	if after.Actor == nil || after.Actor.ID != r.Person || r.contract.full && after.Actor.UpdateTime == "" {
		t.Error("the record does not say who changed it, and when")
	}
}

func (r run) keepsEverything(t *testing.T) {
	before := r.record(t, r.Rich)
	if len(before.Unknown) == 0 || len(before.ContactPersons) == 0 {
		t.Fatal("the record of Rich has nothing that could get lost")
	}
	update := Unchanged(before)
	update.Entries = append([]personv4.Entry{Mobile()}, update.Entries...)
	with := r.update(t, update)
	if Rest(t, with) == Rest(t, before) {
		t.Error("the new entry is not there")
	}
	update = Unchanged(with)
	update.Entries = slices.Delete(slices.Clone(update.Entries), 0, 1)
	if diff := cmp.Diff(Rest(t, before), Rest(t, r.update(t, update))); diff != "" {
		t.Errorf("an entry added and removed again left a trace (-before +after):\n%s", diff)
	}
}

func (r run) newVersionWithoutChange(t *testing.T) {
	before := r.record(t, r.Rich)
	after := r.update(t, Unchanged(before))
	if after.Version <= before.Version {
		t.Errorf("version %s does not come after %s", after.Version, before.Version)
	}
	if diff := cmp.Diff(Rest(t, before), Rest(t, after)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func (r run) staleVersion(t *testing.T) {
	stale := Unchanged(r.record(t, r.Person))
	r.update(t, stale)
	stale.Entries = []personv4.Entry{Mobile()}
	r.refused(t, "stale_version", stale)
	stale.VersionToUpdate = "not a version!"
	r.refused(t, "stale_version", stale)
}

func (r run) missingVersion(t *testing.T) {
	update := Unchanged(r.record(t, r.Person))
	update.VersionToUpdate = ""
	r.refused(t, "version_missing", update)
}

func (r run) oneWinner(t *testing.T) {
	const rivals = 8
	update := Unchanged(r.record(t, r.Person))
	answers := make(chan personv4.Result, rivals)
	for range rivals {
		go func() {
			result, err := r.client.Update(t.Context(), update)
			if err != nil {
				t.Error(err)
			}
			answers <- result
		}()
	}
	winners := 0
	for range rivals {
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

func (r run) deceased(t *testing.T) {
	r.refused(t, "person_deceased", Unchanged(r.record(t, r.Deceased)))
}

func (r run) updateUnknownPerson(t *testing.T) {
	update := Unchanged(r.record(t, r.Person))
	update.Person = r.Unknown
	r.refused(t, "person_unknown", update)
}

func (r run) paper(t *testing.T) {
	update := Unchanged(r.record(t, r.Person))
	update.OptoutPaper = new(true)
	update.Entries = []personv4.Entry{Mobile()}
	update.Entries[0].DigitalNotification = new(false)
	r.refused(t, "optout_needs_notification", update)
	update.Entries[0].DigitalNotification = new(true)
	if record := r.update(t, update); record.OptoutPaper == nil || !*record.OptoutPaper {
		t.Error("the opt-out was not kept")
	}
}

func (r run) protected(t *testing.T) {
	whole := r.record(t, r.Protected)
	if !whole.Protected() || len(whole.Entries) == 0 {
		t.Fatal("the Unrestricted contract does not show a protected person's entries")
	}
	restricted := r.contract.client(t, r.served, r.System, r.LogicalAddress, true)
	shown, err := restricted.Get(t.Context(), r.Protected)
	if err != nil || shown == nil {
		t.Fatalf("restricted Get: %v", err)
	}
	want := personv4.Record{Version: whole.Version, Person: whole.Person,
		ProtectedPerson: whole.ProtectedPerson, ProtectedPopulation: whole.ProtectedPopulation}
	if diff := cmp.Diff(want, *shown); diff != "" {
		t.Errorf("restricted record (-want +got):\n%s", diff)
	}
	result, err := restricted.Update(t.Context(), Unchanged(*shown))
	if err != nil || result.OK || result.Code != "protected_person" {
		t.Errorf("restricted update: OK %v, code %q, error %v", result.OK, result.Code, err)
	}
	if diff := cmp.Diff(whole, r.record(t, r.Protected)); diff != "" {
		t.Errorf("the restricted update changed the record (-before +after):\n%s", diff)
	}
	r.update(t, Unchanged(whole))
}
