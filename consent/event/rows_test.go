package event_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
)

// now is the day on which every row of testdata/events is judged.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// redacted lets cmp compare the types that hold personal data; it cannot print them.
var redacted = cmpopts.EquateComparable(contact.PersonID{}, contact.Value{}, event.RawPerson{})

func testdata(name string) string { return filepath.Join("..", "..", "testdata", "events", name) }

// row is one sentence of testdata/events/decisions.jsonl: a base event, changed, and what is wrong with it then.
type row struct {
	Says    string         `json:"says"`
	Of      string         `json:"of"`
	With    map[string]any `json:"with"`
	Without []string       `json:"without"`
	Want    []struct {
		Field string      `json:"field"`
		Code  reason.Code `json:"code"`
	} `json:"want"`
	BeyondSchema bool `json:"beyondSchema"`
}

func (r row) findings() []event.Finding {
	var findings []event.Finding
	for _, f := range r.Want {
		findings = append(findings, event.Finding(f))
	}
	return findings
}

// lineOf gives the row's event, changed from the named base.
func (r row) lineOf(t testing.TB, base string) []byte {
	t.Helper()
	e := baseEvent(t, base)
	for path, value := range r.With {
		put(e, path, value)
	}
	for _, path := range r.Without {
		drop(e, path)
	}
	return encode(t, e)
}

func rows(t testing.TB) []row {
	t.Helper()
	file, err := os.ReadFile(testdata("decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for in := bufio.NewScanner(bytes.NewReader(file)); in.Scan(); {
		var r row
		decode(t, in.Bytes(), &r)
		all = append(all, r)
	}
	return all
}

func baseEvent(t testing.TB, name string) map[string]any {
	t.Helper()
	file, err := os.ReadFile(testdata(name + ".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	decode(t, file, &e)
	return e
}

// decode keeps numbers as they are written.
func decode(t testing.TB, text []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// put sets the value at a path such as data.person.root, making objects on the way.
func put(e map[string]any, path string, value any) {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		e[name] = value
		return
	}
	inner, ok := e[name].(map[string]any)
	if !ok {
		inner = map[string]any{}
		e[name] = inner
	}
	put(inner, rest, value)
}

func drop(e map[string]any, path string) {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		delete(e, name)
		return
	}
	if inner, ok := e[name].(map[string]any); ok {
		drop(inner, rest)
	}
}

// check says all that is wrong with a line.
func check(line []byte, now time.Time) []event.Finding {
	read, err := event.ReadLine(line, now, func() string { return "00000000-0000-4000-8000-000000000000" })
	if err != nil {
		return []event.Finding{{Code: reason.Of(err)}}
	}
	return read.Findings()
}

func TestEveryRowIsJudgedAsItSays(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t) {
		t.Run(r.Says, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(r.findings(), check(r.lineOf(t, r.Of), now)); diff != "" {
				t.Error("findings (-want +got)\n" + diff)
			}
		})
	}
}

// What a share is refused for is done to a withdrawal as well.
func TestNothingElseStopsAWithdrawal(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t) {
		if r.Of != "share" || r.changesWhatAWithdrawalNeeds() {
			continue
		}
		t.Run(r.Says, func(t *testing.T) {
			t.Parallel()
			if found := check(r.lineOf(t, "withdraw"), now); len(found) > 0 {
				t.Errorf("a withdrawal is stopped by %v", found)
			}
		})
	}
}

func (r row) changesWhatAWithdrawalNeeds() bool {
	return slices.ContainsFunc(append(slices.Collect(maps.Keys(r.With)), r.Without...), func(path string) bool {
		switch path {
		case "id", "type", "data", "data.channel", "data.decision", "data.revision":
			return true
		}
		return strings.HasPrefix(path, "data.person")
	})
}
