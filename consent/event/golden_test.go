package event_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

var update = flag.Bool("update", false, "write testdata/events/golden anew: only to add a file, never to change one that shipped")

// decisions holds every kind of decision. A line here is never removed: its golden file may be in somebody's Kafka.
func decisions() map[string]event.Decision {
	with := func(d event.Decision, change func(*event.Decision)) event.Decision {
		change(&d)
		return d
	}
	return map[string]event.Decision{
		"share-guardian":    shared(),
		"withdraw-resident": withdrawn(),
		"share-resident-email": with(shared(), func(d *event.Decision) {
			d.Person, d.Channel, d.Value = adult, contact.Email, contact.KnownValue("anna.test@example.se")
			d.Actor, d.Notify, d.Notice = event.Actor{Role: event.RoleResident}, nil, event.Notice{}
		}),
		"share-support": with(shared(), func(d *event.Decision) {
			d.Actor = event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-ST01"}
			d.Notify = new(bool)
		}),
		"withdraw-correction": with(withdrawn(), func(d *event.Decision) {
			d.Actor = event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-ST01"}
			d.Reason = event.ReasonCorrection
		}),
		"withdraw-inactivity": with(withdrawn(), func(d *event.Decision) {
			d.Actor = event.Actor{Role: event.RoleRetention, HSAID: "SE2321000016-RE01"}
			d.Reason = event.ReasonInactivity
		}),
		"withdraw-account-closed": with(withdrawn(), func(d *event.Decision) {
			d.Actor = event.Actor{Role: event.RoleRetention}
			d.Reason = event.ReasonAccountClosed
		}),
		"withdraw-bare": with(withdrawn(), func(d *event.Decision) {
			d.Source, d.Time, d.DecidedAt = "", time.Time{}, time.Time{}
		}),
	}
}

func outcomes() map[string]event.Outcome {
	at := time.Date(2026, 11, 21, 12, 0, 1, 250e6, time.UTC)
	pushed := event.Outcome{
		ID: "5b0e8f0a-1f5e-5d9e-8a52-5c2f0d8b7c01", Source: "urn:hsaid:SE2321000016-CSW1",
		EventID: shared().EventID, Person: event.AsSent(child.Root(), child.RevealExtension()), Channel: contact.Mobile,
		Revision: shared().Revision, Outcome: event.Pushed, Effects: []reason.Code{reason.PaperOptOutEnded},
		RegisterVersion: "20261121120001", Sequence: 7, Time: at,
	}
	proved := pushed
	proved.Effects, proved.ProvedAt = nil, &at
	unchanged := pushed
	unchanged.Outcome, unchanged.Effects = event.Unchanged, nil
	superseded := pushed
	superseded.Outcome, superseded.Reason, superseded.Effects, superseded.RegisterVersion =
		event.Superseded, reason.NewerDecision, nil, ""
	parked := superseded
	parked.Outcome, parked.Reason = event.Parked, reason.ValueEmpty
	refused := parked
	refused.Channel, refused.Revision, refused.Reason = "", 0, reason.FormChannel
	return map[string]event.Outcome{
		"outcome-pushed": pushed, "outcome-proved": proved, "outcome-unchanged": unchanged,
		"outcome-superseded": superseded, "outcome-parked": parked, "outcome-refused": refused,
	}
}

func changes() map[string]event.Changed {
	return map[string]event.Changed{"changed-mobile": {
		ID: "5b0e8f0a-1f5e-5d9e-8a52-5c2f0d8b7c04", Source: "urn:hsaid:SE165565594230-1000",
		Person: event.AsSent(child.Root(), child.RevealExtension()), Channel: contact.Mobile,
		Version: "20261121130001", Time: time.Date(2026, 11, 21, 12, 0, 1, 250e6, time.UTC),
	}}
}

// golden is the text of a record: a line for each header, an empty line, the value.
func golden(headers []event.Header, value []byte) []byte {
	var out bytes.Buffer
	for _, h := range headers {
		fmt.Fprintf(&out, "%s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(&out, "\n%s\n", value)
	return out.Bytes()
}

func readGolden(t testing.TB, name string) (headers []event.Header, value []byte) {
	t.Helper()
	file, err := os.ReadFile(testdata("golden/" + name + ".txt"))
	if err != nil {
		t.Fatal(err)
	}
	head, value, _ := bytes.Cut(file, []byte("\n\n"))
	for line := range strings.Lines(string(head)) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		headers = append(headers, event.Header{Key: key, Value: []byte(text)})
	}
	return headers, value
}

func goldenNames(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(testdata("golden/*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt"))
	}
	return names
}

func TestWhatIsWrittenIsGolden(t *testing.T) {
	t.Parallel()
	written := map[string][]byte{}
	for name, d := range decisions() {
		written[name] = golden(d.Binary())
	}
	for name, o := range outcomes() {
		written[name] = golden(o.Binary())
	}
	for name, c := range changes() {
		written[name] = golden(c.Binary())
	}
	for name, text := range written {
		file := testdata("golden/" + name + ".txt")
		if *update {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(string(want), string(text)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// Every golden file, also one that is no longer written so, says for ever what it said when it shipped.
func TestWhatWasWrittenIsReadForEver(t *testing.T) {
	t.Parallel()
	names := goldenNames(t)
	if missing := len(decisions()) + len(outcomes()) + len(changes()) - len(names); missing > 0 {
		t.Fatalf("%d golden files are missing", missing)
	}
	for _, name := range names {
		headers, value := readGolden(t, name)
		if want, ok := decisions()[name]; ok {
			wantRead(t, event.Read(headers, value, now), want)
			continue
		}
		if want, ok := changes()[name]; ok {
			got, err := event.ReadChanged(headers, value)
			if diff := cmp.Diff(want, got, redacted); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
			}
			continue
		}
		want, ok := outcomes()[name]
		if !ok {
			t.Errorf("%s: nothing says what it means", name)
		}
		got, err := event.ReadOutcome(headers, value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, redacted); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestWhatIsNoChange(t *testing.T) {
	t.Parallel()
	headers, value := changes()["changed-mobile"].Binary()
	other := slices.Clone(headers)
	other[2].Value = []byte("se.contactsync.changed.v2")
	for name, row := range map[string]struct {
		headers []event.Header
		value   string
		want    reason.Code
	}{
		"another major": {other, string(value), reason.FormType},
		"no JSON":       {headers, "x", reason.FormJSON},
		"another shape": {headers, `{"person":7}`, reason.FormJSON},
		"a new member":  {headers, `{"person":{"root":"1","extension":"2"},"new":1}`, ""},
	} {
		if _, err := event.ReadChanged(row.headers, []byte(row.value)); reason.Of(err) != row.want {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

func TestWhatIsNoOutcome(t *testing.T) {
	t.Parallel()
	headers, value := outcomes()["outcome-pushed"].Binary()
	other := slices.Clone(headers)
	other[2].Value = []byte("se.contactsync.outcome.v2")
	for says, row := range map[string]struct {
		headers []event.Header
		value   string
		want    reason.Code
	}{
		"another major":   {other, string(value), reason.FormType},
		"no JSON":         {headers, "pushed", reason.FormJSON},
		"a wrong type":    {headers, `{"eventId":5}`, reason.FormJSON},
		"no event id":     {headers, `{"outcome":"pushed"}`, reason.FormID},
		"an unknown kind": {headers, `{"eventId":"x","outcome":"lost","new":1}`, ""},
	} {
		if _, err := event.ReadOutcome(row.headers, []byte(row.value)); reason.Of(err) != row.want {
			t.Errorf("%s: %v, want %q", says, err, row.want)
		}
	}
}
