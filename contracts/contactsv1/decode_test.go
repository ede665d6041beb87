package contactsv1

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		channel Channel
		value   string
		want    bool
	}{
		{Mobile, "+46701740605", true}, {Mobile, "+3725123456", true}, {Mobile, "+1234567", true}, {Mobile, "+123456789012345", true},
		{Mobile, "0701740605", false}, {Mobile, "46701740605", false}, {Mobile, "+0701740605", false}, {Mobile, "+46 701740605", false},
		{Mobile, "+123456", false}, {Mobile, "+1234567890123456", false}, {Mobile, "+4670174060٥", false}, {Mobile, "", false}, {Mobile, "+46701740605\n", false},
		{Email, "tove@example.se", true}, {Email, "t.o+v_e@sub.example.se", true}, {Email, "a@1.se", true}, {Email, "`a`@example.se", true},
		{Email, strings.Repeat("a", 64) + "@example.se", true}, {Email, strings.Repeat("a", 65) + "@example.se", false},
		{Email, "a@" + strings.Repeat("x.", 124) + "test", true}, {Email, "a@" + strings.Repeat("x.", 124) + "tests", false},
		{Email, "tove@example", false}, {Email, "tove", false}, {Email, "@example.se", false}, {Email, "a@b@example.se", false},
		{Email, ".a@example.se", false}, {Email, "a.@example.se", false}, {Email, "a..b@example.se", false}, {Email, "a b@example.se", false},
		{Email, "å@example.se", false}, {Email, "a@exämple.se", false}, {Email, "a@-x.se", false}, {Email, "a@x-.se", false}, {Email, "a@x..se", false},
		{Email, "Tove <tove@example.se>", false}, {Email, "tove@example.se\r\nBcc: x@example.se", false}, {Email, "", false},
	} {
		if got := ValidValue(tt.channel, tt.value); got != tt.want {
			t.Errorf("%s %q: %v", tt.channel, tt.value, got)
		}
	}
}

func TestAPatchTellsWhatStaysFromWhatGoes(t *testing.T) {
	t.Parallel()
	detail := &NewDetail{Value: "a@example.se", Notify: new(true)}
	for _, tt := range []struct {
		body  string
		whole bool
		want  Write
	}{
		{`{}`, false, Write{}},
		{`{}`, true, Write{Mobile: Setting{Given: true}, Email: Setting{Given: true}}},
		{`{"mobile":null}`, false, Write{Mobile: Setting{Given: true}}},
		{`{"mobile":null,"email":{"value":"a@example.se","notify":true}}`, false, Write{Mobile: Setting{Given: true}, Email: Setting{true, detail}}},
		{`{"email":{"value":"a@example.se","notify":true}}`, true, Write{Mobile: Setting{Given: true}, Email: Setting{true, detail}}},
	} {
		got, wrong := decodeWrite([]byte(tt.body), tt.whole)
		if wrong != nil {
			t.Fatal(wrong)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, whole %v: (-want +got):\n%s", tt.body, tt.whole, diff)
		}
	}
}

func TestPersonalDataIsNotPrinted(t *testing.T) {
	t.Parallel()
	p := Person{Root: "1.2", Extension: "197205179802"}
	d := &Detail{Value: "+46701740605"}
	for _, v := range []any{p, &p, []Person{p}, Contact{Person: p, Mobile: d}, *d, Held{Person: p}, Newer{Person: p}, Change{Person: p, Value: d.Value},
		Bulk{Items: []Change{{Person: p}}}, Write{Mobile: Setting{Detail: &NewDetail{Value: d.Value}}}, NewDetail{Value: d.Value},
		Written{Contact: Contact{Person: p}}, Signal{Person: p}, Page{Signals: []Signal{{Person: p}}}} {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", v, v, v, v), log.String()} {
			if strings.Contains(text, p.Extension) || strings.Contains(text, d.Value[1:]) {
				t.Errorf("%T prints as %s", v, text)
			}
		}
	}
}

// Whatever is taken is as the contract says, and says the same when it is written again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"persons":[{"root":"1.2.752.129.2.1.3.1","extension":"197205179802"}]}`,
		`{"changes":[{"person":{"root":"1.2","extension":"1"},"channel":"mobile","decision":"share","value":"+46701740605","notify":true,"revision":7.0,"eventId":"a"}]}`,
		`{"held":[{"person":{"root":"1.2","extension":"1"},"version":"20261123120000"}]}`,
		`{"mobile":{"value":"x"},"email":null}`, `{"persons":[[[[[[[[[[]]]]]]]]]]}`, `{"a":1,"a":2}`, "{\"persons\":\"\xff\"}", `{} {}`, `null`, `{"persons"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if persons, wrong := decodeLookup(body); wrong == nil {
			if again, wrong := decodeLookup(encoded(t, lookupRequest{persons})); wrong != nil || !cmp.Equal(persons, again) || len(persons) == 0 {
				t.Error("another lookup")
			}
		}
		if held, wrong := decodeHeld(body); wrong == nil {
			if again, wrong := decodeHeld(encoded(t, heldRequest{held})); wrong != nil || !cmp.Equal(held, again) {
				t.Error("another comparison")
			}
		}
		if changes, wrong := decodeChanges(body); wrong == nil {
			if again, wrong := decodeChanges(encoded(t, changeRequest{changes})); wrong != nil || !cmp.Equal(changes, again) {
				t.Error("another bulk")
			}
		}
		_, _ = decodeWrite(body, true)
		_, _ = decodeWrite(body, false)
	})
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
