package event

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What is taken apart is exactly what encoding/json calls a valid object, and each field is what it would find there.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , { "b" : null } ] , "c":"\u00e5" } `, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1}{}`,
		`{"a":1 "b":2}`, `{"a":tru}`, `{"a":01}`, `{"a":"` + "\n" + `"}`, `{"a":[1,]}`, `{"a":[}`, `{"a":1]`, `{:1}`, `{,}`, `[]`, `{"a":1e}`,
		`{"a":":"}`, `{"a":"x"`, "\ufeff{}", `{"a"::1}`, `{"a",1}`, `{"a":1:2}`, `{"a":-0.5E+07,"b":[[],{}],"\u0061":"\ud800\"\\\/"}`,
		`{"a":"\u00g0"}`, `{"a":"\x"}`, `{"a":"\u00"}`, "{\"a\xff\":\"\xff\",\"\xfe\":\"\x7f\"}", `{"a":[{"b":1}}]`, `{"a":truefalse}`, `{"a":-}`, "\x00{}", "{}\x00",
	} {
		f.Add(text)
	}
	f.Add(manyMembers(40))
	f.Fuzz(sameObject)
}

// manyMembers is an object of so many names that they do not lie in place, each of them there twice, every third with another value.
func manyMembers(names int) string {
	var members []string
	for i := range names {
		members = append(members, fmt.Sprintf(`"n%d":%d,"n%d":%d`, i, i, i, i+i%3/2))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// Nobody can hold up the intake with an object of many names: it would take minutes if each were looked for among all others.
func TestManyNamesAreNoLoad(t *testing.T) {
	t.Parallel()
	var o object
	if !o.parse(manyMembers(100_000)) || !o.ambiguous("n99998") || o.ambiguous("n99999") || o.raw("n5") != "5" {
		t.Error("the names of a large object are not what they were")
	}
}

var drawnObjects = flag.Int("event.objects", 50_000, "how many objects are held against encoding/json")

// TestObjectsAreThoseOfEncodingJSON is FuzzObject with texts that are mostly JSON, or miss it by little.
func TestObjectsAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	draws := rand.New(rand.NewPCG(8259, 1))
	for range *drawnObjects {
		if sameObject(t, writtenObject(draws)); t.Failed() {
			return
		}
	}
}

// writtenObject is an object with a fault or two, if any.
func writtenObject(draws *rand.Rand) string {
	text := "{" + membersOf(draws, 0) + "}"
	pieces := [...]string{
		"", " ", "\t\r\n", "\v", "\u00a0", "\ufeff", "\x00", "\x1f", "\x7f", "\xff", "{", "}", "[", "]", ",", ":", `"`, `\`, "0", "1", "-", "+", ".", "e", "E",
		"t", "null", "truex", `"a":1,`, `,"a":2`, `"\u00e5"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\u12"`, `"\u00g5"`, `"\a"`, "//", "'a'",
	}
	for draws.IntN(2) == 0 {
		from := draws.IntN(len(text) + 1)
		to := min(len(text), from+draws.IntN(3))
		text = text[:from] + pieces[draws.IntN(len(pieces))] + text[to:]
	}
	return text
}

func membersOf(draws *rand.Rand, depth int) string {
	names := [...]string{`"a"`, `"b"`, `"\u0061"`, `"å"`, `""`, "\"\xff\""}
	var members []string
	for range draws.IntN(5) {
		members = append(members, names[draws.IntN(len(names))]+":"+writtenValue(draws, depth+1))
	}
	return strings.Join(members, ",")
}

func writtenValue(draws *rand.Rand, depth int) string {
	scalars := [...]string{"0", "-0.5", "10e+7", "1E9", "true", "false", "null", `"x"`, `"\n\"\\"`, `"\u0061"`, "\"\xc3\"", `""`}
	switch kind := draws.IntN(8); {
	case kind == 0 && depth < 5:
		return "{" + membersOf(draws, depth) + "}"
	case kind == 1 && depth < 5:
		return "[" + writtenValue(draws, depth+1) + " , " + writtenValue(draws, depth+1) + "]"
	case kind == 2:
		return "[ ]"
	}
	return scalars[draws.IntN(len(scalars))]
}

func sameObject(t *testing.T, text string) {
	bare := strings.TrimPrefix(text, "\ufeff")
	valid := json.Valid([]byte(bare)) && strings.HasPrefix(strings.TrimLeft(bare, " \t\r\n"), "{")
	var o object
	if ok := o.parse(text); ok != valid {
		t.Fatalf("object: %v, valid: %v", ok, valid)
	}
	var want map[string]json.RawMessage
	if !valid || json.Unmarshal([]byte(bare), &want) != nil {
		return
	}
	names := 0
	o.every(func(name string, m *member) bool {
		names++
		last, found := want[name]
		if !found || len(m.others) == 0 && m.raw != string(last) || len(m.others) > 0 && !o.doubtful {
			t.Errorf("%q is %s, want %s", name, m.raw, last)
		}
		var s *string
		isText := json.Unmarshal([]byte(m.raw), &s) == nil && s != nil
		if got, ok := o.text(name); ok != isText || ok && got != *s {
			t.Errorf("%q says %q, %v", name, got, ok)
		}
		return true
	})
	if names != len(want) {
		t.Errorf("%d names, want %d", names, len(want))
	}
}
