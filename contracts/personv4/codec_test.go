package personv4

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// anything draws a T or nil.
func anything[T any](value *rapid.Generator[T]) *rapid.Generator[*T] {
	return rapid.Ptr(value, true)
}

// characters draws text that XML can carry, white space and markup among it.
func characters(minimum, maximum int) *rapid.Generator[string] {
	runes := rapid.OneOf(rapid.SampledFrom([]rune(" \t\n\r<>&\"']:å")), rapid.Rune().Filter(func(r rune) bool {
		return rivta.IsText(string(r))
	}))
	return rapid.StringOfN(runes, minimum, maximum, -1)
}

func foreign() *rapid.Generator[[]rivta.Element] {
	return rapid.Custom(func(t *rapid.T) []rivta.Element {
		var list []rivta.Element
		for range rapid.IntRange(0, 2).Draw(t, "elements") {
			child := rivta.Element{Name: xml.Name{Local: "child"}, Text: "child's", Tail: characters(0, 3).Draw(t, "tail")}
			list = append(list, rivta.Element{
				Name:     xml.Name{Space: rapid.SampledFrom([]string{"urn:a", "urn:b:" + resultNamespace}).Draw(t, "space"), Local: "kept"},
				Attrs:    []xml.Attr{{Name: xml.Name{Space: "urn:c", Local: "d"}, Value: characters(0, 4).Draw(t, "attribute")}},
				Text:     characters(0, 4).Draw(t, "text"),
				Children: []rivta.Element{child},
			})
		}
		return list
	})
}

func identities() *rapid.Generator[ID] {
	return rapid.Custom(func(t *rapid.T) ID {
		return ID{Root: characters(0, 5).Draw(t, "root"), Extension: characters(0, 5).Draw(t, "extension"),
			Unknown: toText(foreign().Draw(t, "unknown"))}
	})
}

func dates() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"2026-11-23", "2028-02-29Z", "-0044-03-15", "12026-01-01+02:00"})
}

func ints() *rapid.Generator[int] { return rapid.IntRange(-1<<31, 1<<31-1) }

func entries() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		return Entry{
			Type:    characters(0, 40).Draw(t, "type"),
			Use:     anything(characters(0, 40)).Draw(t, "use"),
			Value:   anything(characters(0, 9)).Draw(t, "value"),
			Rank:    anything(ints()).Draw(t, "rank"),
			Comment: anything(characters(0, 9)).Draw(t, "comment"),
			Period: anything(rapid.Custom(func(t *rapid.T) Period {
				return Period{Start: anything(dates()).Draw(t, "start"), End: anything(dates()).Draw(t, "end"),
					Unknown: foreign().Draw(t, "unknown")}
			})).Draw(t, "period"),
			DigitalNotification: anything(rapid.Bool()).Draw(t, "notification"),
			Unknown:             foreign().Draw(t, "unknown"),
		}
	})
}

func contactPersons() *rapid.Generator[ContactPerson] {
	line := characters(0, 40)
	return rapid.Custom(func(t *rapid.T) ContactPerson {
		return ContactPerson{
			Relationship:  characters(0, 40).Draw(t, "relationship"),
			PriorityOrder: anything(ints()).Draw(t, "priority"),
			GivenName:     anything(characters(0, 80)).Draw(t, "given name"),
			SurName:       anything(line).Draw(t, "surname"),
			MiddleName:    anything(line).Draw(t, "middle name"),
			Address: anything(rapid.Custom(func(t *rapid.T) Address {
				return Address{CareOf: anything(line).Draw(t, "c/o"), PostalAddress1: anything(line).Draw(t, "line 1"),
					PostalAddress2: anything(line).Draw(t, "line 2"), PostalCode: anything(rapid.IntRange(0, 99999)).Draw(t, "code"),
					City: anything(line).Draw(t, "city"), Unknown: foreign().Draw(t, "unknown")}
			})).Draw(t, "address"),
			Entries: someOf(t, entries()),
			Unknown: foreign().Draw(t, "unknown"),
		}
	})
}

func actors() *rapid.Generator[Actor] {
	return rapid.Custom(func(t *rapid.T) Actor {
		return Actor{ID: identities().Draw(t, "id"),
			Professional: anything(rapid.Custom(func(t *rapid.T) Professional {
				return Professional{Organization: identities().Draw(t, "organization"), Unknown: foreign().Draw(t, "unknown")}
			})).Draw(t, "professional"),
			UpdateTime: rapid.SampledFrom([]string{"", "20261123120000"}).Draw(t, "time"),
			Unknown:    foreign().Draw(t, "unknown")}
	})
}

// someOf draws none to two; none is nil, as when read.
func someOf[T any](t *rapid.T, g *rapid.Generator[T]) []T {
	if list := rapid.SliceOfN(g, 0, 2).Draw(t, "list"); len(list) > 0 {
		return list
	}
	return nil
}

func records() *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		return Record{
			Version:             characters(14, 14).Draw(t, "version"),
			Person:              identities().Draw(t, "person"),
			Entries:             someOf(t, entries()),
			ContactPersons:      someOf(t, contactPersons()),
			ProtectedPerson:     rapid.Bool().Draw(t, "secrecy"),
			ProtectedPopulation: anything(rapid.Bool()).Draw(t, "protected registration"),
			OptoutPaper:         anything(rapid.Bool()).Draw(t, "opt-out"),
			Actor:               anything(actors()).Draw(t, "actor"),
			Unknown:             foreign().Draw(t, "unknown"),
		}
	})
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := records().Draw(t, "record")
		text, err := MarshalRecord(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := UnmarshalRecord(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}

// What is written may be in use elsewhere: not even its spelling of further elements is put right in place.
func TestWritingLeavesTheRecordAsItIs(t *testing.T) {
	t.Parallel()
	const unknown = `<any ><kept xmlns='urn:example:elsewhere'></kept></any>`
	result := func() changed {
		r := fullRecord()
		r.Person.Unknown, r.Actor.ID.Unknown, r.Actor.Professional.Organization.Unknown = unknown, unknown, unknown
		return changed{Result{OK: true, Text: "text", Record: &r}, resultName(true)}
	}
	got := result()
	text, err := xsd.Encode(UpdateOperation(true).Response(), &got)
	if err != nil || !strings.Contains(string(text), `<kept xmlns="urn:example:elsewhere"/>`) {
		t.Errorf("written as %s, error %v", text, err)
	}
	if diff := cmp.Diff(result(), got, cmp.AllowUnexported(changed{})); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestUpdatesAreReadAsWritten(t *testing.T) {
	t.Parallel()
	name := UpdateOperation(true).Request()
	rapid.Check(t, func(t *rapid.T) {
		want := Update{Actor: actors().Draw(t, "actor"), Person: identities().Draw(t, "person"),
			VersionToUpdate: rapid.SampledFrom([]string{"", "20261123120000"}).Draw(t, "version"),
			Entries:         someOf(t, entries()), ContactPersons: someOf(t, contactPersons()),
			OptoutPaper: anything(rapid.Bool()).Draw(t, "opt-out"), Unknown: foreign().Draw(t, "unknown")}
		text, err := xsd.Encode(name, &want)
		if err != nil {
			t.Fatal(err)
		}
		e, err := rivta.Parse(bytes.NewReader(text), stored())
		if err != nil {
			t.Fatal(err)
		}
		var got Update
		if err := xsd.Decode(name, &got, e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}

// xmllint 2.9 refuses white space around these, which the XML Schema standard takes away before it judges.
func TestWhiteSpaceAroundNumbersAndDatesIsNoFault(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("<c:rank>1<", "<c:rank>\n 1\t<", "2026-01-01", " 2026-01-01 ").Replace(read(t, "update.xml"))
	if err := judge("update", text, false); err != nil {
		t.Error(err)
	}
}

func TestWhatTheSchemaForbidsIsNotWritten(t *testing.T) {
	t.Parallel()
	unreadable := []rivta.Element{{Name: xml.Name{Space: "urn:a", Local: "a"}, Text: "\x01"}}
	inCore := []rivta.Element{{Name: core("verified")}}
	for sentence, r := range map[string]Record{
		"a version of no length":                 {},
		"a type too long":                        {Version: "20261123120000", Entries: []Entry{{Type: strings.Repeat("x", 41)}}},
		"a value that XML cannot carry":          {Version: "20261123120000", Entries: []Entry{{Value: new("\x00")}}},
		"a value that is no UTF-8":               {Version: "20261123120000", Entries: []Entry{{Value: new("\xff")}}},
		"an unknown element in the core":         {Version: "20261123120000", Unknown: inCore},
		"an unknown element without a namespace": {Version: "20261123120000", Unknown: []rivta.Element{{Name: xml.Name{Local: "a"}}}},
		"an unknown text that XML cannot carry":  {Version: "20261123120000", Unknown: unreadable},
		"a day that is none":                     {Version: "20261123120000", Entries: []Entry{{Period: &Period{Start: new("2026-02-30")}}}},
		"an identity with broken further text":   {Version: "20261123120000", Person: ID{Unknown: "<any>"}},
	} {
		if text, err := MarshalRecord(r); err == nil {
			t.Errorf("%s was written: %s", sentence, text)
		}
	}
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	t.Parallel()
	const secret = "201701012393"
	id := ID{Root: RootPersonnummer, Extension: secret}
	entry := Entry{Type: "tel", Value: new(secret)}
	record := Record{Person: id, Entries: []Entry{entry}, Unknown: []rivta.Element{{Text: secret}}}
	for _, value := range []any{id, &id, entry, []Entry{entry}, record, &record, record.Unknown, Actor{ID: id},
		ContactPerson{GivenName: new(secret)}, Address{City: new(secret)}, Update{Person: id}, Result{Text: secret},
		struct{ Person ID }{id}} {
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "value", value)
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "value", value)
		text, _ := json.Marshal(value)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			logged.WriteString(fmt.Sprintf(verb, value))
		}
		if all := logged.String() + string(text); strings.Contains(all, secret) || strings.Contains(all, fmt.Sprintf("%x", secret)) {
			t.Errorf("%T prints what it holds: %s", value, all)
		}
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		good            bool
		root, extension string
	}{
		{true, RootPersonnummer, "201701012393"},
		{true, RootPersonnummer, "198507099805"},
		{false, RootPersonnummer, "198507099806"},      // check digit
		{false, RootPersonnummer, "198513099807"},      // month 13
		{false, RootPersonnummer, "8507099805"},        // ten digits
		{false, RootPersonnummer, "19850709-9805"},     // hyphen
		{false, RootPersonnummer, "19850709980\u0665"}, // a digit, but not ASCII
		{false, RootPersonnummer, ""},
		{true, RootSamordningsnummer, "197010632391"},
		{false, RootSamordningsnummer, "201701012393"},               // a personnummer
		{true, RootSamordningsnummer, withCheckDigit("19700060239")}, // month and day unknown
		{true, RootSamordningsnummer, withCheckDigit("19700071239")}, // month unknown
		{false, RootSamordningsnummer, withCheckDigit("19701371239")},
		{false, RootSamordningsnummer, withCheckDigit("19700292239")}, // day 32 of February
		{true, "1.2.752.97.3.1.3", "991111111111"},
		{false, "1.2.752.97.3.1.3", ""},
		{false, "", "201701012393"},
		{false, "personnummer", "201701012393"},
	} {
		if err := (ID{Root: row.root, Extension: row.extension}).Check(); (err == nil) != row.good {
			t.Errorf("%s %s: %v, want good %v", row.root, row.extension, err, row.good)
		}
	}
}

func withCheckDigit(eleven string) string {
	for digit := range 10 {
		if all := eleven + fmt.Sprint(digit); hasCheckDigit(all) {
			return all
		}
	}
	return ""
}

// FuzzDecode feeds any text to all four decoders. What one accepts must survive being written and read again.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"get", "get_response", "update", "update_response"} {
		f.Add(read(f, name+".xml"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := rivta.Parse(strings.NewReader(text), rivta.Limits{})
		if err != nil {
			return
		}
		get, update := GetOperation(false), UpdateOperation(false)
		stable(t, get.Request(), e, func() *lookup { return &lookup{} })
		stable(t, get.Response(), e, func() *found { return &found{} })
		stable(t, update.Request(), e, func() *Update { return &Update{} })
		stable(t, update.Response(), e, func() *changed { return &changed{name: resultName(false)} })
	})
}

func stable[B xsd.Body](t *testing.T, name xml.Name, e rivta.Element, fresh func() B) {
	t.Helper()
	first, second := fresh(), fresh()
	if xsd.Decode(name, first, e) != nil {
		return
	}
	once, err := xsd.Encode(name, first)
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	if e, err = rivta.Parse(bytes.NewReader(once), rivta.Limits{Bytes: 8 << 20}); err != nil {
		t.Fatalf("what was written is refused: %v", err)
	}
	if err := xsd.Decode(name, second, e); err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	twice, err := xsd.Encode(name, second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(once), string(twice)); diff != "" {
		t.Fatalf("(-once +twice):\n%s", diff)
	}
}
