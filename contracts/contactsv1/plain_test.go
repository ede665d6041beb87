package contactsv1

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The expressions of what is judged by hand, as the contract's document has them.
var (
	rootText      = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]{0,15})){1,20}$`)
	extensionText = regexp.MustCompile(`^[0-9A-Za-z-]{1,32}$`)
	versionText   = regexp.MustCompile(`^[0-9]{14}$`)
	eventIDText   = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

func TestFormsAreThoseOfTheirExpressions(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]struct {
		expression *regexp.Regexp
		is         func(string) bool
	}{
		"mobile":    {regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`), isMobile},
		"local":     {regexp.MustCompile("^[A-Za-z0-9.!#$%&'*+/=?^_{|}~`-]{1,64}$"), isLocal},
		"domain":    {regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$`), isDomain},
		"root":      {rootText, isRoot},
		"extension": {extensionText, isExtension},
		"version":   {versionText, isVersion},
		"event id":  {eventIDText, isEventID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bare := strings.Trim(form.expression.String(), "^$")
			near := []*rapid.Generator[string]{rapid.StringMatching(bare)}
			for bound, around := range map[string]string{"{6,14}": "{4,16}", "{1,64}": "{60,68}", "{0,15}": "{13,17}", "{1,20}": "{17,22}", "{1,32}": "{28,36}", "{14}": "{12,16}"} {
				if strings.Contains(bare, bound) {
					near = append(near, rapid.StringMatching(strings.Replace(bare, bound, around, 1)))
				}
			}
			fitting := rapid.OneOf(near...)
			odd := rapid.StringOfN(rapid.SampledFrom([]rune("012379.+-_:@aZ é\n\x00\x7f`{")), 0, 70, -1)
			rapid.Check(t, func(t *rapid.T) {
				s := fitting.Draw(t, "fitting")
				if rapid.Bool().Draw(t, "spoilt") {
					at := rapid.IntRange(0, len(s)).Draw(t, "at")
					s = s[:at] + odd.Draw(t, "odd") + s[min(len(s), at+rapid.IntRange(0, 2).Draw(t, "gone")):]
				}
				if rapid.IntRange(0, 9).Draw(t, "only odd") == 0 {
					s = odd.Draw(t, "all")
				}
				if form.is(s) != form.expression.MatchString(s) {
					t.Fatalf("%q: %v by hand, %v by the expression", s, form.is(s), form.expression.MatchString(s))
				}
			})
		})
	}
}

func TestARootHasAtMostTwentyArcs(t *testing.T) {
	t.Parallel()
	for arcs := range 25 {
		if s := "1" + strings.Repeat(".0", arcs); isRoot(s) != rootText.MatchString(s) {
			t.Errorf("%d arcs: %v by hand", arcs, isRoot(s))
		}
	}
}

// text is mostly plain.
func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[a-z0-9.+@-]{0,20}`), rapid.String(), rapid.SampledFrom([]string{"", `"`, `\`, "<&>", "\u2028", "\xff", "\x7f", "\t"}))
}

func someChanges() *rapid.Generator[[]Change] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Change {
		return Change{Person: Person{Root: text().Draw(t, "root"), Extension: text().Draw(t, "extension")}, Channel: Channel(text().Draw(t, "channel")),
			Decision: Decision(text().Draw(t, "decision")), Value: text().Draw(t, "value"), Notify: rapid.Ptr(rapid.Bool(), true).Draw(t, "notify"),
			Revision: rapid.Int64().Draw(t, "revision"), EventID: text().Draw(t, "event")}
	}), 0, 4)
}

func someOutcomes() *rapid.Generator[[]Outcome] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Outcome {
		o := Outcome{Outcome: OutcomeKind(text().Draw(t, "kind")), Code: text().Draw(t, "code"), Version: text().Draw(t, "version")}
		if effects := rapid.SliceOfN(text(), 0, 2).Draw(t, "effects"); len(effects) > 0 {
			o.Effects = effects
		}
		return o
	}), 0, 4)
}

func TestWhatIsWrittenByHandIsWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		changes, outcomes := someChanges().Draw(t, "changes"), someOutcomes().Draw(t, "outcomes")
		if rapid.IntRange(0, 20).Draw(t, "nothing") == 0 {
			changes, outcomes = nil, nil
		}
		for _, tt := range []struct {
			got  []byte
			want any
		}{{encodeChanges(changes), changeRequest{changes}}, {EncodeOutcomes(outcomes), outcomes}, {changeAnswer{outcomes}.encode(), changeAnswer{outcomes}}} {
			want, err := json.Marshal(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), strings.TrimSuffix(string(tt.got), "\n")); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
	})
}

// What our client and register write is plain; a text that is nearly so is read as if it were not, or not by hand.
func TestPlainTextsAreReadAsOthers(t *testing.T) {
	t.Parallel()
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		body := encodeChanges(someChanges().Draw(t, "changes"))
		answer := changeAnswer{someOutcomes().Draw(t, "outcomes")}.encode()
		spoil := rapid.Custom(func(t *rapid.T) func([]byte) []byte {
			piece := rapid.SampledFrom([]string{"", " ", "\n", "\x00", "null", "true", "1", "01", "-0", "1.0", "1e3", `"`, "{", "}", "[", "]", ",", ":", `\n`, "é", "\xff",
				`"notify":false,`, `"effects":[],`, `"other":1,`, `"Channel":"email",`, "{}", "{},"}).Draw(t, "piece")
			where, gone := rapid.Float64Range(0, 1).Draw(t, "where"), rapid.IntRange(0, 3).Draw(t, "gone")
			return func(b []byte) []byte {
				at := int(where * float64(len(b)))
				return []byte(string(b[:at]) + piece + string(b[min(len(b), at+gone):]))
			}
		})
		for range rapid.IntRange(0, 2).Draw(t, "times") {
			body, answer = spoil.Draw(t, "body")(body), spoil.Draw(t, "answer")(answer)
		}
		plain += sameChanges(t, body) + sameOutcomes(t, answer)
	})
	if plain == 0 {
		t.Error("nothing was plain")
	}
}

// failer is a *testing.T or *rapid.T.
type failer interface{ Fatalf(string, ...any) }

// sameChanges reads a bulk by hand and by encoding/json, and returns 1 if it is plain.
func sameChanges(t failer, body []byte) int {
	got, ok := plainChanges(body)
	if !ok {
		return 0
	}
	want, wrong := decodeGivenChanges(body)
	if wrong != nil {
		t.Fatalf("%q is plain and yet wrong: %v", body, wrong)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q (-want +got):\n%s", body, diff)
	}
	return 1
}

func sameOutcomes(t failer, text []byte) int {
	got, ok := plainOutcomes(text)
	if !ok {
		return 0
	}
	var want changeAnswer
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatalf("%q is plain and yet wrong: %v", text, err)
	}
	if len(got)+len(want.Outcomes) > 0 && !cmp.Equal(want.Outcomes, got) {
		t.Fatalf("%q (-want +got):\n%s", text, cmp.Diff(want.Outcomes, got))
	}
	return 1
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{
		`{"changes":[{"person":{"root":"1.2","extension":"1"},"channel":"mobile","decision":"share","value":"+46701740605","notify":true,"revision":7,"eventId":"a"}]}`,
		` { "changes" : [ { "revision" : 9223372036854775807 , "notify" : false } , {} ] } `, `{"changes":[{"revision":9223372036854775808}]}`,
		`{"outcomes":[{"outcome":"applied","version":"20261125000000"},{"outcome":"refused","code":"person_unknown"},{"effects":["a","b"]}]}`,
		`{"changes":[{"revision":1,"revision":2}]}`, `{"changes":[{"person":{"root":"1.2","root":"1.2"}}]}`, `{"changes":[],"changes":[]}`,
		`{"outcomes":[{"effects":["a"],"effects":["b"]}]}`, `{"outcomes":[{"outcome":"applied"}],"outcomes":[]}`, `{"outcomes":[{"Outcome":"applied"}]}`,
		`{"changes":[]}`, `{}`, `{"changes":[{"revision":01}]}`, `{"changes":[{"notify":` + "\x00" + `true}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sameChanges(t, body)
		sameOutcomes(t, body)
	})
}
