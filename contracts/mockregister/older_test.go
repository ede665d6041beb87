package mockregister

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv3"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// clientV3 speaks the Unrestricted contracts of major 3.
func (s served) clientV3(t *testing.T, hsaID string) *personv3.Client {
	t.Helper()
	return s.ClientV3(t, hsaID, address, false)
}

func TestDialledFaultsHitEachMajor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	person := s.id(t, "both_channels")
	dial := func(f Fault) { must(s.Faults().Set(f))(t) }
	dial(Fault{Kind: KindServerFault, Contract: personv3.GetOperation(true).Name, Operation: classRead, Count: 1})
	if _, err := s.clientV3(t, worker).Get(t.Context(), person); err == nil {
		t.Error("the fault did not hit a read through v3")
	}
	read := must(s.clientV3(t, worker).Get(t.Context(), person))(t)
	update := personv3.Update{Actor: personv3.Actor{ID: person}, Person: person, VersionToUpdate: read.Version}
	dial(Fault{Kind: KindStale, Count: 1})
	if result := must(s.clientV3(t, worker).Update(t.Context(), update))(t); result.Code != "stale_version" {
		t.Errorf("the fault did not hit an update through v3: %q", result.Code)
	}
	dial(Fault{Kind: KindAnswerLost, Operation: classWrite, Count: 1})
	if _, err := s.clientV3(t, worker).Update(t.Context(), update); err == nil {
		t.Error("the answer to an update through v3 was not lost")
	}
	dial(Fault{Kind: KindReadLag, Duration: Duration(time.Minute)})
	now := s.record(t, "both_channels")
	again := personv3.Update{Actor: personv3.Actor{ID: person}, Person: person, VersionToUpdate: now.Version, Entries: read.Entries}
	if result := must(s.clientV3(t, worker).Update(t.Context(), again))(t); !result.OK {
		t.Errorf("update refused: %s", result.Code)
	}
	if lagging := must(s.clientV3(t, worker).Get(t.Context(), person))(t); lagging.Version != now.Version || len(lagging.Entries) != 0 {
		t.Error("a read through v3 does not lag")
	}
}

func TestLogNamesTheMajor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	must(s.clientV3(t, worker).Get(t.Context(), s.id(t, "empty")))(t)
	s.nextLine(t) // the warning that it is deprecated
	text, _ := s.nextLine(t)
	var line struct {
		Operation string
		Major     int
	}
	if err := json.Unmarshal([]byte(text), &line); err != nil || line.Operation != personv3.GetOperation(true).Name || line.Major != 3 {
		t.Errorf("error %v, line %s", err, text)
	}
}

// TestUpdateThroughV3OfASharedVersion: where a version can be given twice, what an update keeps is of the record that it replaces.
func TestUpdateThroughV3OfASharedVersion(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	w.clock.wholeSeconds = true
	id, caller := w.id(t, "empty"), rivta.Caller{HSAID: worker}
	read := must(w.Get(t.Context(), caller, id, true))(t)
	first := contracttest.Unchanged(*read)
	first.Entries = []personv4.Entry{contracttest.Mobile()}
	if result := must(w.Update(t.Context(), caller, first, true))(t); result.Record.Version != read.Version {
		t.Fatal("the test needs two updates within a second")
	}
	update := contracttest.UpdateV3(first)
	if result := must(throughV3{behindFaults{w.Register}}.Update(t.Context(), caller, update, true))(t); !result.OK {
		t.Fatal(result.Code)
	}
	if after := must(w.Get(t.Context(), caller, id, true))(t); !mayNotify(after.Entries) {
		t.Error("the update was put over an older record of the same version")
	}
}

func TestDeprecatedCallsAreCountedAndLogged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := s.id(t, "empty")
	// call returns the warnings that it is logged with.
	call := func(hsaID string) (warnings []string) {
		_, _ = s.clientV3(t, hsaID).Get(t.Context(), id)
		for {
			text, _ := s.nextLine(t)
			if strings.Contains(text, id.Extension) {
				t.Errorf("the log names a person: %s", text)
			}
			var line struct{ Level, Msg, Contract, Caller string }
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if line.Msg == "register request" {
				return warnings
			}
			warnings = append(warnings, line.Level+" "+line.Msg+" "+line.Contract+" "+line.Caller)
		}
	}
	name := personv3.GetOperation(true).Name
	warned := func(caller string) []string {
		return []string{"WARN deprecated contract called " + name + " " + caller}
	}
	for i, step := range []struct {
		later  time.Duration
		caller string
		want   []string
	}{
		{0, worker, warned(worker)},
		{0, worker, nil},
		{0, "SE2321000016-NOB1", warned("other")},
		{0, "SE2321000016-NOB2", nil},
		{time.Minute, worker, warned(worker)},
	} {
		s.now.pass(step.later)
		if diff := cmp.Diff(step.want, call(step.caller)); diff != "" {
			t.Errorf("call %d (-want +got):\n%s", i, diff)
		}
	}
	s.record(t, "empty") // the newest major is not counted
	third := contracts.Contract{Name: name, Major: 3}
	counted := []DeprecatedCalls{{third, worker, 3}, {third, "other", 2}}
	if diff := cmp.Diff(counted, s.DeprecatedCalls()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestNobodyIsWarnedBeforeAContractIsDeprecated(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.now.pass(-2 * 365 * 24 * time.Hour)
	if _, err := s.clientV3(t, worker).Get(t.Context(), s.id(t, "empty")); err != nil {
		t.Fatal(err)
	}
	if calls := s.DeprecatedCalls(); len(calls) != 0 {
		t.Errorf("counted %v", calls)
	}
}

func TestHeadersTellTheEnd(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, want := range map[string][3]string{
		personv3.GetOperation(false).Path(): {"@1767222000", "Fri, 31 Dec 2027 23:00:00 GMT",
			`</rivta/GetPersonContactInformation/4/rivtabp21>; rel="successor-version"`},
		personv4.GetOperation(false).Path(): {},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			request := must(http.NewRequestWithContext(t.Context(), method, s.URL+path+"?wsdl", strings.NewReader("")))(t)
			response := must(s.HTTP(t, worker).Do(request))(t)
			_ = response.Body.Close()
			h := response.Header
			if got := [3]string{h.Get("Deprecation"), h.Get("Sunset"), h.Get("Link")}; got != want {
				t.Errorf("%s %s: %q, want %q", method, path, got, want)
			}
		}
	}
}

func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	get := personv3.GetOperation(true)
	w.off = []contracts.Contract{get.Contract()}
	s := served{w, contracttest.Serve(t, w.Handler()), nil}
	_, err := s.clientV3(t, worker).Get(t.Context(), s.id(t, "empty"))
	fault, _ := errors.AsType[*rivta.Fault](err)
	want := "GetPersonContactInformationUnrestricted/3 is no longer served: its successor is " +
		"GetPersonContactInformationUnrestricted/4, at /rivta/GetPersonContactInformationUnrestricted/4/rivtabp21"
	if fault == nil || fault.Code != rivta.FaultClient || fault.VP != "VP004" || fault.String != want {
		t.Errorf("%v %+v", err, fault)
	}
	response := must(s.HTTP(t, worker).Get(s.URL + get.Path() + "?wsdl"))(t)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusGone {
		t.Errorf("the WSDL: status %d, want 410", response.StatusCode)
	}
	if restricted := s.ClientV3(t, worker, address, true); must(restricted.Get(t.Context(), s.id(t, "empty")))(t) == nil {
		t.Error("the twin, which is not off, does not answer")
	}
	s.record(t, "empty")
	if calls := s.DeprecatedCalls(); len(calls) != 2 {
		t.Errorf("who still calls what is off is not counted: %v", calls)
	}
}

func TestOnlyWhatHasASuccessorCanBeOff(t *testing.T) {
	t.Parallel()
	for _, c := range []contracts.Contract{{Name: "GetPersonContactInformation", Major: 4}, {Name: "GetPersonContactInformation", Major: 2}} {
		config := Config{Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: address, Off: []contracts.Contract{c}}
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), c.String()) {
			t.Errorf("%s: %v", c, err)
		}
	}
}
