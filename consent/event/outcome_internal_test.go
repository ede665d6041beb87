package event

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

var plainOutcomes = flag.Int("event.outcomes", 20_000, "how many outcomes are held against encoding/json")

// TestPlainOutcomeIsTheReadingOfEncodingJSON draws outcomes in and around the form that is known at sight: members in any order, some
// more than once, under names that encoding/json alone would match, with values of any type. It wants the same of encoding/json for
// each that is known.
func TestPlainOutcomeIsTheReadingOfEncodingJSON(t *testing.T) {
	t.Parallel()
	draws := rand.New(rand.NewPCG(7, 11))
	known := 0
	for range *plainOutcomes {
		var e envelope
		e.data = writtenOutcome(draws)
		e.isObject = e.body.parse(e.data)
		got, ok := e.plainOutcome()
		if !ok {
			continue
		}
		known++
		var want outcomeJSON
		if err := json.Unmarshal([]byte(e.data), &want); err != nil || !reflect.DeepEqual(*got, want) {
			t.Fatalf("%q\nis known as %+v\nencoding/json says %+v, %v", e.data, *got, want, err)
		}
	}
	if known < *plainOutcomes/4 {
		t.Errorf("only %d of %d outcomes were known at sight", known, *plainOutcomes)
	}
}

// writtenOutcome strings together members of an outcome, most of them as they should be.
func writtenOutcome(draws *rand.Rand) string {
	good := [...]string{
		`"eventId":"3f0c0f6e-6a53-4c59-9d0a-0f2f6f0e8a01"`, `"person":{"root":"1.2.752.129.2.1.3.1","extension":"198507099805"}`,
		`"channel":"mobile"`, `"revision":1795262400000000`, `"outcome":"pushed"`, `"reason":"newer_decision"`, `"effects":["paper_opt_out_ended"]`,
		`"registerVersion":"20261121120001"`, `"sequence":-7`, `"time":"2026-11-21T12:00:01.25Z"`, `"provedAt":"2026-11-21T12:00:01Z"`,
	}
	names := [...]string{
		"eventId", "person", "channel", "revision", "outcome", "reason", "effects", "registerVersion", "sequence", "time", "provedAt", "time", "person",
		"EventId", "per\u017fon", `\u0074ime`, "other",
	}
	values := [...]string{
		"null", "5", "-1", "1.0", "1e3", "9223372036854775808", "true", `""`, `"x"`, `"\u0078"`, "\"\xff\"", "[]", `["x",null]`, "[5]", "{}",
		`"2026-11-21T12:00:00Z"`, `"2026-11-21T12:00:00.5+01:00"`, `"2026-11-21T12:00:00\u005a"`, `"2026-11-21T24:00:00Z"`, `{"root":"1"}`,
		`{"root":"1","root":"2"}`, `{"root":"1","root":null}`, `{"Root":"1"}`, `{"root":null}`, `{"extension":5}`, `{"\u0072oot":"1","extension":"2"}`,
	}
	var members []string
	for _, i := range draws.Perm(len(good))[:draws.IntN(len(good)+1)] {
		members = append(members, good[i])
	}
	for draws.IntN(2) == 0 {
		members = append(members, fmt.Sprintf(`"%s" : %s`, names[draws.IntN(len(names))], values[draws.IntN(len(values))]))
	}
	mark := ""
	if draws.IntN(50) == 0 {
		mark = byteOrderMark
	}
	return mark + "{" + strings.Join(members, ",") + "}"
}
