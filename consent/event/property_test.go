package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"contactsync/consent/contact"
	"contactsync/consent/event"
)

// anything is JSON of any type, such as may stand in a field that a withdrawal does not need.
var anything = rapid.OneOf(
	rapid.SampledFrom([]string{
		`null`, `true`, `""`, `0`, `-1`, `1e999`, `[]`, `{}`, `{"role":"guardian"}`, `{"role":5,"role":6}`, `"share"`,
		`{"root":5}`, `"inactivity"`, `"resident"`, `"070-174 06 05"`, `"2026-11-21T12:00:00Z"`, `[[[{"a":[1]}]]]`,
	}),
	rapid.Map(rapid.String(), func(s string) string {
		text, _ := json.Marshal(s)
		return string(text)
	}),
)

// anyText is text such as may stand in a header that a withdrawal does not need.
var anyText = rapid.OneOf(rapid.SampledFrom([]string{
	"", "application/json", "application/cloudevents+json", "text/xml", "0.3", "urn:hsaid:SE2321000016-ES01", "\xff", "\n",
}), rapid.String())

// surroundings are members that stand around the needed ones, some of them more than once.
func surroundings(t *rapid.T, label string, names ...string) (members []string) {
	for i, name := range rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, label) {
		members = append(members, fmt.Sprintf("%q:%s", name, anything.Draw(t, fmt.Sprint(label, i))))
	}
	return members
}

func objectOf(t *rapid.T, label string, members []string) string {
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, label), " , ") + "}"
}

func TestNothingButFourThingsStopsAWithdrawal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := withdrawn()
		want.EventID = rapid.StringMatching(`[!-~]{1,255}`).Draw(t, "id")
		want.Channel = rapid.SampledFrom(contact.Channels[:]).Draw(t, "channel")
		want.Revision = rapid.Int64Min(1).Draw(t, "revision")

		person := objectOf(t, "person", append(surroundings(t, "in person", "name", "Root", "assigner"),
			`"root":"`+want.Person.Root()+`"`, `"extension":"`+want.Person.RevealExtension()+`"`))
		body := objectOf(t, "body", append(
			surroundings(t, "in body", "decision", "decidedAt", "actor", "reason", "notify", "notice", "value", "data", "Person", ""),
			`"decision":"withdraw"`, `"person":`+person, fmt.Sprintf(`"channel":%q`, want.Channel), fmt.Sprintf(`"revision":%d`, want.Revision)))
		headers := rapid.SliceOf(rapid.Custom(func(t *rapid.T) event.Header {
			key := rapid.SampledFrom([]string{"ce_specversion", "ce_source", "ce_time", "content-type", "ce_x", "other"}).Draw(t, "key")
			return event.Header{Key: key, Value: []byte(anyText.Draw(t, "text"))}
		})).Draw(t, "headers")

		if rapid.Bool().Draw(t, "structured") {
			id, _ := json.Marshal(want.EventID)
			body = objectOf(t, "event", append(surroundings(t, "attributes", "specversion", "source", "time", "datacontenttype", "x"),
				`"id":`+string(id), `"data":`+body))
		} else {
			headers = append(headers, event.Header{Key: "ce_id", Value: []byte(want.EventID)})
		}

		got := event.Read(headers, []byte(body), now)
		if got.Unreadable != "" || len(got.Refusals) > 0 {
			t.Fatalf("stopped by %q, %v\n%s", got.Unreadable, got.Refusals, body)
		}
		if got.Decision.Share || !got.Decision.Value.IsZero() || got.Decision.Notify != nil {
			t.Fatal("a superfluous value or notify was kept")
		}
		needed := event.Decision{EventID: got.Decision.EventID, Person: got.Decision.Person, Channel: got.Decision.Channel, Revision: got.Decision.Revision}
		want = event.Decision{EventID: want.EventID, Person: want.Person, Channel: want.Channel, Revision: want.Revision}
		if diff := cmp.Diff(want, needed, redacted); diff != "" {
			t.Fatal("(-want +got)\n" + diff)
		}
		if got.Decision.Reason.Scoped() && got.Decision.Source == "" {
			t.Fatal("scoped to nobody")
		}
	})
}
