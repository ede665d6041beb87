package personv4

import (
	"encoding/xml"
	"testing"

	"pgregory.net/rapid"

	"contactsync/contracts/rivta"
)

// What is written by hand is what a walk over the schema writes, and nothing is that the schema forbids.
func TestPlainRecordsAreWrittenAsOthers(t *testing.T) {
	t.Parallel()
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		r := someRecord().Draw(t, "record")
		got, ok := appendPlain([]byte("before"), &r)
		if !ok {
			return
		}
		plain++
		want, err := marshalWalked(r)
		if err != nil || "before"+string(want) != string(got) {
			t.Fatalf("by hand:\n%s\nwalked, error %v:\n%s", got, err, want)
		}
	})
	if plain < 10 {
		t.Errorf("%d records were plain", plain)
	}
}

func TestEachCharacterIsWrittenAsByAWalk(t *testing.T) {
	t.Parallel()
	for c := range rune(0x100) {
		r := Record{Version: "20261125120000", Entries: []Entry{{Value: new("a" + string(c) + "b")}}}
		if got, ok := appendPlain(nil, &r); ok {
			if want, err := marshalWalked(r); err != nil || string(want) != string(got) {
				t.Errorf("%q: by hand:\n%s\nwalked, error %v:\n%s", c, got, err, want)
			}
		}
	}
}

func someText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if !seldom(t, "odd text") {
			return rapid.StringMatching(`[a-z0-9+@. ]{0,12}`).Draw(t, "text")
		}
		odd := rapid.SampledFrom([]string{"", "<", "&", ">", `"`, "\t", "\r", "\n", "\x7f", "\x00", "é", "\xff"})
		return rapid.OneOf(rapid.StringMatching(`[a-z]{39,42}`), odd).Draw(t, "text")
	})
}

func someTimestamp() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if seldom(t, "odd timestamp") {
			return rapid.OneOf(rapid.StringMatching(`[0-9]{13,15}`), someText()).Draw(t, "text")
		}
		return rapid.StringMatching(`[0-9]{14}`).Draw(t, "timestamp")
	})
}

// seldom draws true one time in so many.
func seldom(t *rapid.T, name string) bool { return rapid.IntRange(0, 30).Draw(t, name) == 0 }

func someID(t *rapid.T) ID {
	id := ID{Root: someText().Draw(t, "root"), Extension: someText().Draw(t, "extension")}
	if seldom(t, "unknown in an id") {
		id.Unknown = toText([]rivta.Element{oneForeign()})
	}
	return id
}

func oneForeign() rivta.Element {
	return rivta.Element{Name: xml.Name{Space: "urn:example:other", Local: "x"}, Text: "y"}
}

func maybe[T any](t *rapid.T, of *rapid.Generator[T], name string) *T {
	return rapid.Ptr(of, true).Draw(t, name)
}

func someEntry() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{Type: someText().Draw(t, "type"), Use: maybe(t, someText(), "use"), Value: maybe(t, someText(), "value"),
			Comment: maybe(t, someText(), "comment"), DigitalNotification: maybe(t, rapid.Bool(), "notify")}
		if seldom(t, "rank") {
			e.Rank = new(1)
		}
		if seldom(t, "period") {
			e.Period = &Period{}
		}
		if seldom(t, "unknown in an entry") {
			e.Unknown = []rivta.Element{oneForeign()}
		}
		return e
	})
}

func someRecord() *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		r := Record{Version: someTimestamp().Draw(t, "version"), Person: someID(t), Entries: rapid.SliceOfN(someEntry(), 0, 2).Draw(t, "entries"),
			ProtectedPerson: rapid.Bool().Draw(t, "protected"), ProtectedPopulation: maybe(t, rapid.Bool(), "population"),
			OptoutPaper: maybe(t, rapid.Bool(), "optout")}
		if rapid.Bool().Draw(t, "acted") {
			r.Actor = &Actor{ID: someID(t), UpdateTime: someTimestamp().Draw(t, "time")}
			if seldom(t, "professional") {
				r.Actor.Professional = &Professional{}
			}
			if seldom(t, "unknown in an actor") {
				r.Actor.Unknown = []rivta.Element{oneForeign()}
			}
		}
		if seldom(t, "contact person") {
			r.ContactPersons = []ContactPerson{{}}
		}
		if seldom(t, "unknown") {
			r.Unknown = []rivta.Element{oneForeign()}
		}
		return r
	})
}
