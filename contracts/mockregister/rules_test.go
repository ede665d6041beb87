package mockregister

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

func TestEveryTestPersonCanBeReadAndWrittenBackUnchanged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for state := range s.persons {
		if state == "deceased" {
			continue // see TestRefusals
		}
		s.now.pass(time.Minute)
		before := s.record(t, state)
		result, err := s.client(t).Update(t.Context(), contracttest.Unchanged(before))
		if err != nil || !result.OK {
			t.Fatalf("%s: update: %s %s, error %v", state, result.Code, result.Text, err)
		}
		after := s.record(t, state)
		if diff := cmp.Diff(contracttest.Rest(t, before), contracttest.Rest(t, after)); diff != "" {
			t.Errorf("%s: record (-before +after):\n%s", state, diff)
		}
		if diff := cmp.Diff(contracttest.Rest(t, after), contracttest.Rest(t, *result.Record)); diff != "" {
			t.Errorf("%s: record (-read +answered):\n%s", state, diff)
		}
		if after.Version <= before.Version || after.Version != result.Record.Version {
			t.Errorf("%s: version %s follows %s, answered %s", state, after.Version, before.Version, result.Record.Version)
		}
	}
}

// The same without our own client: the bytes of the answer stay, whatever the record holds.
func TestAnswersStayByteEqual(t *testing.T) {
	t.Parallel()
	s := serve(t)
	changes := regexp.MustCompile(`<version [^>]*>.*?</version>|` +
		`<updatePersonContactInformationActor .*?</updatePersonContactInformationActor>`)
	for _, state := range []string{"contact_persons", "staff_entries", "paper_opt_out", "secrecy"} {
		ask := strings.Replace(message(fmt.Sprintf(addressHeader, address), ""), plantedPerson, s.persons[state].Extension, 1)
		_, before := s.post(t.Context(), t, s.HTTP(t, worker), ask, soapHeaders())
		if result := must(s.client(t).Update(t.Context(), contracttest.Unchanged(s.record(t, state))))(t); !result.OK {
			t.Fatal(result.Code)
		}
		_, after := s.post(t.Context(), t, s.HTTP(t, worker), ask, soapHeaders())
		if diff := cmp.Diff(changes.ReplaceAllString(before, ""), changes.ReplaceAllString(after, "")); diff != "" {
			t.Errorf("%s: answer (-before +after):\n%s", state, diff)
		}
		if n := len(changes.FindAllString(after, -1)); n != 2 || before == after {
			t.Errorf("%s: %d of version and actor are in the answer, want both", state, n)
		}
	}
}

func TestUpdateRemovesOneEntryAndNothingElse(t *testing.T) {
	t.Parallel()
	s := serve(t)
	record := s.record(t, "staff_entries")
	own := func(e personv4.Entry) bool { return e.Type == typePhone && e.Use != nil && *e.Use == useMobile }
	update := contracttest.Unchanged(record)
	update.Entries = slices.DeleteFunc(slices.Clone(record.Entries), own)
	if result := must(s.client(t).Update(t.Context(), update))(t); !result.OK {
		t.Fatal(result.Code)
	}
	removed := record.Entries[slices.IndexFunc(record.Entries, own)]
	alone, none := record, record
	alone.Entries, none.Entries = []personv4.Entry{removed}, nil
	prefix, suffix, _ := strings.Cut(contracttest.Rest(t, none), "<protectedPersonIndicator")
	entry := strings.TrimSuffix(strings.TrimPrefix(contracttest.Rest(t, alone), prefix), "<protectedPersonIndicator"+suffix)
	want := strings.Replace(contracttest.Rest(t, record), entry, "", 1)
	if diff := cmp.Diff(want, contracttest.Rest(t, s.record(t, "staff_entries"))); diff != "" || entry == "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestUpdateStoresTheActorWithTheRegistersTime(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.now.pass(time.Hour)
	update := contracttest.Unchanged(s.record(t, "empty"))
	update.Actor = personv4.Actor{
		ID: personv4.ID{Root: "1.2.752.129.2.1.4.1", Extension: "SE2321000016-TEST"},
		Professional: &personv4.Professional{
			Organization: personv4.ID{Root: "1.2.752.129.2.1.4.1", Extension: "SE2321000016-UNIT"}},
		UpdateTime: "19990101000000",
	}
	result := must(s.client(t).Update(t.Context(), update))(t)
	read := s.record(t, "empty")
	for _, actor := range []*personv4.Actor{result.Record.Actor, read.Actor} {
		if actor == nil || actor.UpdateTime != "20261123130000" || actor.ID != update.Actor.ID ||
			actor.Professional == nil || actor.Professional.Organization != update.Actor.Professional.Organization {
			t.Error("the actor is not the one given, with the register's time")
		}
	}
}

func TestFlagsAreTheRegistersOwn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for state, want := range map[string][2]bool{
		"empty": {false, false}, "secrecy": {true, false}, "protected_registration": {false, true},
	} {
		if result := must(s.client(t).Update(t.Context(), contracttest.Unchanged(s.record(t, state))))(t); !result.OK {
			t.Fatal(result.Code)
		}
		record := s.record(t, state)
		if record.ProtectedPopulation == nil || [2]bool{record.ProtectedPerson, *record.ProtectedPopulation} != want {
			t.Errorf("%s: flags changed", state)
		}
	}
}

func TestRestrictedReadBlanksProtectedPersons(t *testing.T) {
	t.Parallel()
	s := serve(t)
	restricted := s.Client(t, clinic, address, true)
	for _, state := range []string{"secrecy", "protected_registration"} {
		if result := must(s.client(t).Update(t.Context(), contracttest.Unchanged(s.record(t, state))))(t); !result.OK {
			t.Fatal(result.Code)
		}
		all := s.record(t, state)
		seen := must(restricted.Get(t.Context(), s.id(t, state)))(t)
		want := personv4.Record{Version: all.Version, Person: all.Person,
			ProtectedPerson: all.ProtectedPerson, ProtectedPopulation: all.ProtectedPopulation}
		if contracttest.Wire(t, *seen) != contracttest.Wire(t, want) {
			t.Errorf("%s: the restricted contract shows more or less than version and flags", state)
		}
		if len(all.Entries) == 0 || all.Actor == nil {
			t.Errorf("%s: the unrestricted contract shows nothing", state)
		}
	}
	open := must(restricted.Get(t.Context(), s.id(t, "both_channels")))(t)
	if contracttest.Rest(t, *open) != contracttest.Rest(t, s.record(t, "both_channels")) {
		t.Error("the restricted contract shows less of a person without protection")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t)
	unrestricted, restricted := s.client(t), s.Client(t, clinic, address, true)
	noVersion := func(u *personv4.Update) { u.VersionToUpdate = "" }
	staleVersionGiven := func(u *personv4.Update) { u.VersionToUpdate = "20200101000000" }
	noVersionAtAll := func(u *personv4.Update) { u.VersionToUpdate = "no date at all" }
	optout := func(u *personv4.Update) { u.OptoutPaper = new(true) }
	refusedNotification := func(u *personv4.Update) {
		optout(u)
		u.Entries = slices.Clone(u.Entries)
		for i := range u.Entries {
			u.Entries[i].DigitalNotification = new(false)
		}
	}
	asIs := func(*personv4.Update) {}
	for _, tt := range []struct {
		name   string
		client *personv4.Client
		state  string
		change func(*personv4.Update)
		want   string
	}{
		{"without a version", unrestricted, "both_channels", noVersion, "version_missing"},
		{"with an older version", unrestricted, "both_channels", staleVersionGiven, "stale_version"},
		{"with what is no version", unrestricted, "both_channels", noVersionAtAll, "stale_version"},
		{"no paper and no digital notification", unrestricted, "empty", optout, "optout_needs_notification"},
		{"no paper and digital notification refused", unrestricted, "both_channels", refusedNotification, "optout_needs_notification"},
		{"a deceased person", unrestricted, "deceased", asIs, "person_deceased"},
		{"a deceased person without a version", unrestricted, "deceased", noVersion, "person_deceased"},
		{"a deceased person with an older version", unrestricted, "deceased", staleVersionGiven, "person_deceased"},
		{"secrecy through the restricted contract", restricted, "secrecy", asIs, "protected_person"},
		{"secrecy, and an older version too", restricted, "secrecy", staleVersionGiven, "protected_person"},
		{"protected registration through the restricted contract", restricted, "protected_registration", asIs, "protected_person"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := s.record(t, tt.state)
			update := contracttest.Unchanged(before)
			tt.change(&update)
			result := must(tt.client.Update(t.Context(), update))(t)
			checkRefusal(t, result, tt.want)
			after := s.record(t, tt.state)
			if before.Version != after.Version || contracttest.Rest(t, before) != contracttest.Rest(t, after) {
				t.Error("a refused update changed the record")
			}
		})
	}
}

func checkRefusal(t *testing.T, result personv4.Result, code string) {
	t.Helper()
	if result.OK || result.Code != code || result.Text == "" || result.Record != nil {
		t.Errorf("OK %t, code %q, text %q, record given %t; want a refusal %q", result.OK, result.Code, result.Text,
			result.Record != nil, code)
	}
}

func TestUnknownPerson(t *testing.T) {
	t.Parallel()
	s := serve(t)
	nobody := personv4.ID{Root: personv4.RootPersonnummer, Extension: "201701012393"}
	record, err := s.client(t).Get(t.Context(), nobody)
	if record != nil || err != nil {
		t.Errorf("get: record %v, error %v; want neither", record, err)
	}
	update := personv4.Update{Actor: personv4.Actor{ID: nobody}, Person: nobody, VersionToUpdate: "20200101000000"}
	checkRefusal(t, must(s.client(t).Update(t.Context(), update))(t), "person_unknown")
	update.VersionToUpdate = ""
	checkRefusal(t, must(s.client(t).Update(t.Context(), update))(t), "person_unknown")
}

func TestUpdatesThatNoRecordCanHold(t *testing.T) {
	t.Parallel()
	s := serve(t)
	record := s.record(t, "both_channels")
	foreign, large := contracttest.Unchanged(record), contracttest.Unchanged(record)
	foreign.Unknown = []rivta.Element{{Name: xml.Name{Space: personv4.Namespace, Local: "later"}}}
	large.Entries = []personv4.Entry{{Type: typeMail, Comment: new(strings.Repeat("x", maxContent))}}
	for name, update := range map[string]personv4.Update{"of the core namespace": foreign, "too large": large} {
		_, err := s.client(t).Update(t.Context(), update)
		if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.Code != rivta.FaultClient {
			t.Errorf("%s: error %v, want a Client fault", name, err)
		}
	}
	if s.record(t, "both_channels").Version != record.Version {
		t.Error("the record changed")
	}
}

func TestOptoutWithNotificationIsKept(t *testing.T) {
	t.Parallel()
	s := serve(t)
	record := s.record(t, "paper_opt_out")
	if record.OptoutPaper == nil || !*record.OptoutPaper || !mayNotify(record.Entries) {
		t.Fatal("the test person does not fit its state")
	}
	update := contracttest.Unchanged(record)
	update.Entries = nil
	checkRefusal(t, must(s.client(t).Update(t.Context(), update))(t), "optout_needs_notification")
	update.OptoutPaper = new(false)
	if result := must(s.client(t).Update(t.Context(), update))(t); !result.OK {
		t.Error(result.Code)
	}
}

func TestOfUpdatesOfOneVersionOnlyOneSucceeds(t *testing.T) {
	t.Parallel()
	s := serve(t)
	update := contracttest.Unchanged(s.record(t, "both_channels"))
	client := s.client(t)
	var ok, stale atomic.Int32
	atOnce(32, func() {
		switch result, err := client.Update(t.Context(), update); {
		case err != nil:
			t.Error(err)
		case result.OK:
			ok.Add(1)
		case result.Code == "stale_version":
			stale.Add(1)
		}
	})
	if ok.Load() != 1 || stale.Load() != 31 {
		t.Errorf("%d updates succeeded and %d were stale, want 1 and 31", ok.Load(), stale.Load())
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	s := serve(t)
	read, update := s.record(t, "both_channels"), contracttest.Unchanged(s.record(t, "both_channels"))
	stranger := "SE2321000016-CSX1"
	for _, tt := range []struct {
		caller                                                string
		get, getUnrestricted, writeAllowed, writeUnrestricted bool
	}{
		{worker, true, true, true, true},
		{clinic, true, false, true, false},
		{reader, true, true, false, false},
		{stranger, false, false, false, false},
	} {
		for _, restricted := range []bool{true, false} {
			client := s.Client(t, tt.caller, address, restricted)
			mayRead, mayWrite := tt.getUnrestricted, tt.writeUnrestricted
			if restricted {
				mayRead, mayWrite = tt.get, tt.writeAllowed
			}
			_, err := client.Get(t.Context(), read.Person)
			checkRight(t, tt.caller+" reads", mayRead, err)
			update.VersionToUpdate = "20200101000000" // stale: what counts is how far it comes
			_, err = client.Update(t.Context(), update)
			checkRight(t, tt.caller+" writes", mayWrite, err)
		}
	}
}

func checkRight(t *testing.T, what string, allowed bool, err error) {
	t.Helper()
	fault, isFault := errors.AsType[*rivta.Fault](err)
	refused := isFault && fault.VP == "VP007"
	if allowed && err != nil || !allowed && !refused {
		t.Errorf("%s: error %v, want it allowed: %t", what, err, allowed)
	}
}
