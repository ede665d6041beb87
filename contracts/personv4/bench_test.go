package personv4

import (
	"bytes"
	"encoding/xml"
	"testing"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// usualUpdate is what the synchroniser writes of most persons: one detail, and who says so.
func usualUpdate() Update {
	person := ID{Root: RootPersonnummer, Extension: "201701012393"}
	return Update{Actor: Actor{ID: person}, Person: person, VersionToUpdate: "20261123120000", Entries: []Entry{
		{Type: "tel", Use: new("mobile"), Value: new("+46701740605"), DigitalNotification: new(true)},
		{Type: "mail", Use: new("personal"), Value: new("tove.testsson@example.se"), DigitalNotification: new(true)}}}
}

// usualResult is what a register answers to it.
func usualResult() Result {
	u := usualUpdate()
	actor := u.Actor
	actor.UpdateTime = "20261123120001"
	return Result{OK: true, Record: &Record{Version: "20261123120001", Person: u.Person, Entries: u.Entries, ProtectedPopulation: new(false),
		OptoutPaper: new(false), Actor: &actor}}
}

// BenchmarkMessage is what both ends of a usual Update do besides the network. An operation is one message of the call.
func BenchmarkMessage(b *testing.B) {
	op, update := UpdateOperation(true), usualUpdate()
	answer := changed{usualResult(), resultName(true)}
	b.Run("request", func(b *testing.B) {
		benchmarkMessage(b, op.Request(), &update, func() xsd.Body { return &Update{} })
	})
	b.Run("answer", func(b *testing.B) {
		benchmarkMessage(b, op.Response(), &answer, func() xsd.Body { return &changed{name: resultName(true)} })
	})
}

func benchmarkMessage(b *testing.B, name xml.Name, body xsd.Body, fresh func() xsd.Body) {
	text, err := xsd.Encode(name, body)
	if err != nil {
		b.Fatal(err)
	}
	parsed, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"encode", func() error { _, err := xsd.Encode(name, body); return err }},
		{"append", func() error { rivta.Append(nil, parsed); return nil }},
		{"parse", func() error { _, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{}); return err }},
		{"decode", func() error { return xsd.Decode(name, fresh(), parsed) }},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := step.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
