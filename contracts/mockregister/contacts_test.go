package mockregister

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/problem"
)

// contacts speaks the REST contract as a system.
func (s served) contacts(t testing.TB, system string) *contactsv1.Client {
	t.Helper()
	return s.Contacts(t, system)
}

// person is a test person in the form of the REST contract.
func (w world) person(t testing.TB, state string) contactsv1.Person {
	t.Helper()
	p, ok := w.persons[state]
	if !ok {
		t.Fatalf("nobody is %s", state)
	}
	return contactsv1.Person{Root: p.Root, Extension: p.Extension}
}

// found looks a test person up as a system.
func (s served) found(t testing.TB, system, state string) contactsv1.Contact {
	t.Helper()
	return must(s.contacts(t, system).Lookup(t.Context(), []contactsv1.Person{s.person(t, state)}))(t)[0]
}

// sequenceAll has all signals numbered, and returns the register's feed from the oldest on.
func (w world) sequenceAll(t testing.TB) []contactsv1.Signal {
	t.Helper()
	for {
		if n, _, err := w.sequence(t.Context()); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			break
		}
	}
	return must(w.page(t.Context(), contactsv1.From{Limit: contactsv1.MaxItems}))(t).Signals
}

// code is that of the problem behind an error.
func code(err error) string {
	if p, ok := err.(*problem.Problem); ok {
		return fmt.Sprint(p.Status, " ", p.Code)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestLookupTellsOfEverybodyInOrder(t *testing.T) {
	t.Parallel()
	s := serve(t)
	unknown := contactsv1.Person{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	impossible := contactsv1.Person{Root: personv4.RootPersonnummer, Extension: "197205179803"}
	both, staff := s.person(t, "both_channels"), s.person(t, "staff_entries")
	got := must(s.contacts(t, worker).Lookup(t.Context(), []contactsv1.Person{staff, unknown, both, impossible, both}))(t)
	version := s.record(t, "both_channels").Version
	want := []contactsv1.Contact{
		{Person: staff, Found: true, Version: version, Name: "Stina Klinikdotter", Mobile: &contactsv1.Detail{Value: "+46701740622"}, Email: &contactsv1.Detail{Value: "egen@example.se"}},
		{Person: unknown, Code: "person_unknown"},
		{Person: both, Found: true, Version: version, Name: "Bodil Tvåvägs", Mobile: &contactsv1.Detail{Value: "+46701740605", Notify: true}, Email: &contactsv1.Detail{Value: "bade.och@example.se"}},
		{Person: impossible, Code: "identity_malformed"},
	}
	want = append(want, want[2])
	for i := range got {
		if got[i].Found == (got[i].Ref == "") {
			t.Errorf("item %d: found %v, ref %q", i, got[i].Found, got[i].Ref)
		}
		got[i].Ref = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProtectedPersonsAreBlankedForWhoeverMayNotSeeThem(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, state := range []string{"secrecy", "protected_registration"} {
		shown, blanked := s.found(t, reader, state), s.found(t, clinic, state)
		if shown.Blanked || shown.Mobile == nil || shown.Email == nil || shown.Name == "" {
			t.Errorf("%s: somebody with the right sees too little", state)
		}
		if !blanked.Blanked || blanked.Mobile != nil || blanked.Email != nil || blanked.Name != "" ||
			!blanked.ProtectedPerson && !blanked.ProtectedPopulation {
			t.Errorf("%s: somebody without the right sees too much, or not that it is so", state)
		}
		if got, err := s.contacts(t, clinic).Read(t.Context(), shown.Ref); err != nil || !got.Blanked || got.Mobile != nil {
			t.Errorf("%s: by ref: blanked %v, error %v", state, got.Blanked, err)
		}
		_, err := s.contacts(t, clinic).Write(t.Context(), shown.Ref, contactsv1.Write{Version: shown.Version, Mobile: contactsv1.Setting{Given: true}})
		if code(err) != "403 protected_person" {
			t.Errorf("%s: written by somebody without the right: %v", state, err)
		}
		outcomes := must(s.contacts(t, clinic).Change(t.Context(), uuid.NewString(), []contactsv1.Change{withdraw(s.person(t, state), contactsv1.Mobile, 5)}))(t)
		if diff := cmp.Diff([]contactsv1.Outcome{{Outcome: contactsv1.Refused, Code: "protected_person"}}, outcomes); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", state, diff)
		}
	}
	if deceased := s.found(t, clinic, "deceased"); !deceased.Deceased || deceased.Mobile == nil {
		t.Error("that a person is deceased is not told, or more than that is hidden")
	}
}

func share(p contactsv1.Person, channel contactsv1.Channel, value string, revision int64) contactsv1.Change {
	return contactsv1.Change{Person: p, Channel: channel, Decision: contactsv1.Share, Value: value, Revision: revision}
}

func withdraw(p contactsv1.Person, channel contactsv1.Channel, revision int64) contactsv1.Change {
	return contactsv1.Change{Person: p, Channel: channel, Decision: contactsv1.Withdraw, Revision: revision}
}

func TestWritesOfTheSOAPContractsShowInLookupAndFeed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	update := withMobile(s.record(t, "both_channels"), "+46701740611")
	if result := must(s.client(t).Update(t.Context(), update))(t); !result.OK {
		t.Fatal(result.Code)
	}
	got := s.found(t, worker, "both_channels")
	if got.Mobile == nil || got.Mobile.Value != "+46701740611" || got.Email != nil || got.Version != s.record(t, "both_channels").Version {
		t.Error("lookup does not show what was written")
	}
	wantSignals(t, s, "both_channels mobile", "both_channels email")
	// The same again is a new version and no news.
	if result := must(s.client(t).Update(t.Context(), contracttest.Unchanged(s.record(t, "both_channels"))))(t); !result.OK {
		t.Fatal(result.Code)
	}
	wantSignals(t, s, "both_channels mobile", "both_channels email")
	// What others own is nobody's news either, but the notification of the own entry is.
	update = contracttest.Unchanged(s.record(t, "both_channels"))
	update.Entries = append(update.Entries, entry(typePhone, useClinic, "+46701740612"))
	update.Entries[0].DigitalNotification = new(true)
	if result := must(s.client(t).Update(t.Context(), update))(t); !result.OK {
		t.Fatal(result.Code)
	}
	wantSignals(t, s, "both_channels mobile", "both_channels email", "both_channels mobile")
}

// wantSignals compares the whole feed with states and channels.
func wantSignals(t *testing.T, s served, want ...string) {
	t.Helper()
	states := map[contactsv1.Person]string{}
	for state := range s.persons {
		states[s.person(t, state)] = state
	}
	var got []string
	for _, signal := range s.sequenceAll(t) {
		got = append(got, states[signal.Person]+" "+string(signal.Channel))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("feed (-want +got):\n%s", diff)
	}
}

// A register of the version before writes version and content only.
func TestAWriterThatDoesNotKnowOfTheOwnDetails(t *testing.T) {
	t.Parallel()
	s := serve(t)
	old := s.record(t, "both_channels")
	old.Entries[0].Value, old.Version = new("+46701740613"), "20300101000000"
	content := must(stored(old))(t)
	must(s.pool.Exec(t.Context(), `update register.persons set version = $2, content = $3 where extension = $1`,
		old.Person.Extension, old.Version, content))(t)
	if got := s.found(t, worker, "both_channels"); got.Mobile == nil || got.Mobile.Value != "+46701740613" || !got.Mobile.Notify {
		t.Error("lookup shows what was there before")
	}
	wantSignals(t, s, "both_channels mobile", "both_channels email") // one too many is better than one too few
}

func TestASingleRecord(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client, ctx := s.contacts(t, worker), t.Context()
	first := s.found(t, worker, "contact_persons")
	if again := must(client.Read(ctx, first.Ref))(t); !cmp.Equal(again, first) {
		t.Error("a record read by ref is another one than that looked up")
	}
	before := s.record(t, "contact_persons")
	written := must(client.Write(ctx, first.Ref, contactsv1.Write{Version: first.Version,
		Email: contactsv1.Setting{Given: true, Detail: &contactsv1.NewDetail{Value: "ny@example.se", Notify: new(true)}}}))(t)
	if written.Email == nil || written.Email.Value != "ny@example.se" || !written.Email.Notify || written.Mobile == nil || written.Version == first.Version {
		t.Error("the answer is not what was written")
	}
	after := s.record(t, "contact_persons")
	want := contracttest.Unchanged(before)
	mail := entry(typeMail, usePersonal, "ny@example.se")
	mail.DigitalNotification = new(true)
	want.Entries = append(want.Entries, mail)
	if diff := cmp.Diff(want.Entries, after.Entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	after.Entries, before.Entries = nil, nil
	if diff := cmp.Diff(contracttest.Rest(t, before), contracttest.Rest(t, after)); diff != "" {
		t.Errorf("the rest (-before +after):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		ref   string
		write contactsv1.Write
		want  string
	}{
		"a stale version":   {first.Ref, contactsv1.Write{Version: first.Version, Mobile: contactsv1.Setting{Given: true}}, "412 stale_version"},
		"an unknown ref":    {strings.Repeat("A", 40), contactsv1.Write{Version: first.Version}, "404 ref_unknown"},
		"a deceased person": {s.found(t, worker, "deceased").Ref, contactsv1.Write{Version: first.Version}, "409 person_deceased"},
		"a value that cannot be": {first.Ref, contactsv1.Write{Version: written.Version,
			Mobile: contactsv1.Setting{Given: true, Detail: &contactsv1.NewDetail{Value: "0701740605"}}}, "422 value_invalid"},
	} {
		if _, err := client.Write(ctx, tt.ref, tt.write); code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	gone := must(client.Write(ctx, first.Ref, contactsv1.Write{Version: written.Version, Email: contactsv1.Setting{Given: true}, Mobile: contactsv1.Setting{Given: true}}))(t)
	if gone.Mobile != nil || gone.Email != nil {
		t.Error("what was taken away is still there")
	}
	wantSignals(t, s, "contact_persons email", "contact_persons mobile", "contact_persons email")
}

func TestWithTheLastNotificationPaperComesBack(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.person(t, "paper_opt_out")
	outcomes := must(s.contacts(t, worker).Change(t.Context(), uuid.NewString(), []contactsv1.Change{withdraw(p, contactsv1.Mobile, 7)}))(t)
	if diff := cmp.Diff([]string{"paper_opt_out_ended"}, outcomes[0].Effects); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if optout := s.record(t, "paper_opt_out").OptoutPaper; optout == nil || *optout {
		t.Error("the person still gets no letters on paper")
	}
}

func TestDialledFaultsOnTheRESTContract(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Kind: KindTooMany}, "429 too_many_requests"},
		{Fault{Kind: KindOutage, Contract: contactsv1.OperationLookup}, "503 unavailable"},
		{Fault{Kind: KindServerFault}, "500 internal"},
		{Fault{Kind: KindClientFault}, "400 refused"},
		{Fault{Kind: KindReset}, "call the register: EOF"},
		{Fault{Kind: KindOutage, Contract: contactsv1.OperationChange}, ""},
		{Fault{Kind: KindOutage, Operation: classWrite}, ""},
		{Fault{Kind: KindOutage, Person: plantedPerson}, ""},
	} {
		s := serveWith(t, tt.fault)
		_, err := s.contacts(t, worker).Lookup(t.Context(), []contactsv1.Person{s.person(t, "both_channels"), s.person(t, "empty")})
		if code(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.fault.Kind, err, tt.want)
		}
	}
	s := serve(t)
	s.dial(t, Fault{Kind: KindStale, Person: s.persons["empty"].Extension})
	first := s.found(t, worker, "empty")
	if _, err := s.contacts(t, worker).Write(t.Context(), first.Ref, contactsv1.Write{Version: first.Version}); code(err) != "412 stale_version" {
		t.Errorf("a dialled stale version: %v", err)
	}
	outcomes, err := s.contacts(t, worker).Change(t.Context(), uuid.NewString(), []contactsv1.Change{share(first.Person, contactsv1.Mobile, "+46701740605", 1)})
	if err != nil || outcomes[0].Outcome != contactsv1.Applied {
		t.Errorf("a bulk names no version: %v, %v", outcomes, err)
	}
}

func TestALostAnswerToABulkIsGivenAgain(t *testing.T) {
	t.Parallel()
	s := serveWith(t, Fault{Kind: KindAnswerLost, Operation: classWrite, Count: 1})
	key, client := uuid.NewString(), s.contacts(t, worker)
	changes := []contactsv1.Change{share(s.person(t, "empty"), contactsv1.Mobile, "+46701740605", 1)}
	if _, err := client.Change(t.Context(), key, changes); err == nil {
		t.Fatal("the answer came")
	}
	outcomes := must(client.Change(t.Context(), key, changes))(t)
	if outcomes[0].Outcome != contactsv1.Applied || outcomes[0].Version != s.record(t, "empty").Version {
		t.Errorf("again: %v", outcomes)
	}
	// Without the key's answer the fence knows.
	if outcomes := must(client.Change(t.Context(), uuid.NewString(), changes))(t); outcomes[0].Outcome != contactsv1.Duplicate {
		t.Errorf("under another key: %v", outcomes)
	}
}

func TestReadsThatLagShowRESTTheRecordBefore(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.dial(t, Fault{Kind: KindReadLag, Duration: Duration(3 * time.Second)})
	client, p := s.contacts(t, worker), s.person(t, "both_channels")
	before := s.found(t, worker, "both_channels")
	must(client.Change(t.Context(), uuid.NewString(), []contactsv1.Change{withdraw(p, contactsv1.Mobile, 1)}))(t)
	if lagging := s.found(t, worker, "both_channels"); !cmp.Equal(before, lagging) {
		t.Error("a read that lags shows the news")
	}
	if changed := must(client.ChangedSince(t.Context(), []contactsv1.Held{{Person: p, Version: before.Version}}))(t); len(changed) != 0 {
		t.Error("a comparison that lags shows the news")
	}
	s.now.pass(3 * time.Second)
	if now := s.found(t, worker, "both_channels"); now.Mobile != nil || now.Version == before.Version {
		t.Error("the lag does not end")
	}
	if changed := must(client.ChangedSince(t.Context(), []contactsv1.Held{{Person: p, Version: before.Version}}))(t); len(changed) != 1 {
		t.Error("the comparison misses the news")
	}
}

func TestChangedSinceTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	version := s.found(t, worker, "empty").Version
	unknown := contactsv1.Person{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	held := []contactsv1.Held{{Person: s.person(t, "empty"), Version: version}, {Person: unknown, Version: version},
		{Person: s.person(t, "both_channels"), Version: "20200101000000"}}
	got := must(s.contacts(t, clinic).ChangedSince(t.Context(), held))(t)
	want := []contactsv1.Newer{{Person: unknown}, {Person: held[2].Person, Found: true, Version: version}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestContactCallsAreLoggedWithoutPersonalData(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ref := s.found(t, worker, "both_channels").Ref
	person := s.id(t, "both_channels")
	s.checkContactsLine(t, person, logLine{Operation: "contactsv1.lookup", Caller: worker, Outcome: "ok", Blame: "none"})
	_, _ = s.contacts(t, reader).Write(context.Background(), ref, contactsv1.Write{Version: "20200101000000"})
	s.checkContactsLine(t, person, logLine{Operation: "contactsv1.write", Caller: reader, Outcome: "problem:not_allowed", Blame: "client"})
	must(s.pool.Exec(t.Context(), `alter table register.persons rename to gone`))(t)
	if _, err := s.contacts(t, worker).Read(t.Context(), ref); code(err) != "500 internal" {
		t.Error(err)
	}
	s.checkContactsLine(t, person, logLine{Operation: "contactsv1.read", Caller: worker, Outcome: "problem:internal", Blame: "us", Cause: "SQLSTATE 42P01"})
	response := must(s.HTTP(t, worker).Get(s.URL + contactsv1.Path + "/persons/" + person.Extension))(t)
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Error(response.Status)
	}
	s.checkContactsLine(t, person, logLine{Caller: worker, Outcome: "http_404", Blame: "client"})
}

func (s served) checkContactsLine(t *testing.T, person personv4.ID, want logLine) {
	t.Helper()
	text, line := s.nextLine(t)
	line.CorrelationID = ""
	if problem := strings.HasPrefix(want.Outcome, "problem"); problem == (line.LogID == "") {
		t.Errorf("log id in %s", text)
	}
	line.LogID = ""
	if line != want {
		t.Errorf("logged %s, want %+v", text, want)
	}
	for _, secret := range []string{person.Extension, "+467017406", "example.se"} {
		if strings.Contains(text, secret) {
			t.Errorf("personal data in %s", text)
		}
	}
}
