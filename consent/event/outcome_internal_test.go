package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is known at sight of an outcome is what encoding/json makes of it. The members are drawn in and around the form that is
// written: in any order, some more than once, under names that encoding/json alone would match, with values of any type.
func TestPlainOutcomeIsTheReadingOfEncodingJSON(t *testing.T) {
	t.Parallel()
	known := 0
	rapid.Check(t, func(t *rapid.T) {
		_, written := anyOutcome(t).Binary()
		var e envelope
		members := rapid.SliceOfN(rapid.Custom(oddMember), 0, 2).Draw(t, "others")
		e.data = strings.TrimSuffix(string(written), "}") + strings.Join(append([]string{""}, members...), ",") + "}"
		if rapid.IntRange(0, 20).Draw(t, "marked") == 0 {
			e.data = byteOrderMark + e.data
		}
		e.isObject = e.body.parse(e.data)
		got, ok := e.plainOutcome()
		if !ok {
			return
		}
		known++
		var want outcomeJSON
		if err := json.Unmarshal([]byte(e.data), &want); err != nil || !reflect.DeepEqual(*got, want) {
			t.Fatalf("%s\nis known as %+v\nencoding/json says %+v, %v", e.data, *got, want, err)
		}
	})
	if known < 10 {
		t.Errorf("only %d outcomes were known at sight", known)
	}
}

func oddMember(t *rapid.T) string {
	name := rapid.SampledFrom([]string{
		"eventId", "person", "channel", "revision", "outcome", "reason", "effects", "registerVersion", "sequence", "time", "provedAt",
		"EventId", "per\u017fon", `\u0074ime`, "other",
	}).Draw(t, "name")
	value := rapid.SampledFrom([]string{
		"null", "5", "-1", "1.0", "1e3", "9223372036854775808", "true", `""`, `"x"`, `"\u0078"`, "\"\xff\"", "[]", `["x",null]`, "[5]", "{}",
		`"2026-11-21T12:00:00Z"`, `"2026-11-21T12:00:00.5+01:00"`, `"2026-11-21T12:00:00\u005a"`, `"2026-11-21T24:00:00Z"`, `{"root":"1"}`,
		`{"root":"1","root":"2"}`, `{"Root":"1"}`, `{"root":null}`, `{"extension":5}`, `{"\u0072oot":"1","extension":"2"}`,
	}).Draw(t, "value")
	return fmt.Sprintf("\"%s\" : %s", name, value)
}
