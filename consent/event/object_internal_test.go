package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What is taken apart is exactly what encoding/json calls a valid object, and each field is what it would find there.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , { "b" : null } ] , "c":"\u00e5" } `, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1}{}`,
		`{"a":1 "b":2}`, `{"a":tru}`, `{"a":01}`, `{"a":"` + "\n" + `"}`, `{"a":[1,]}`, `{"a":[}`, `{"a":1]`, `{:1}`, `{,}`, `[]`, `{"a":1e}`,
		`{"a":":"}`, `{"a":"x"`, "\ufeff{}", `{"a"::1}`, `{"a",1}`, `{"a":1:2}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		bare := bytes.TrimPrefix(text, []byte("\ufeff"))
		valid := json.Valid(bare) && strings.HasPrefix(strings.TrimLeft(string(bare), " \t\r\n"), "{")
		o, ok := parseObject(text)
		if ok != valid {
			t.Fatalf("object: %v, valid: %v", ok, valid)
		}
		var want map[string]json.RawMessage
		if !ok || json.Unmarshal(bare, &want) != nil {
			return
		}
		for name, last := range want {
			if first := o.fields[name]; len(o.others[name]) == 0 && !bytes.Equal(first, last) {
				t.Errorf("field is %s, want %s", first, last)
			}
		}
	})
}
