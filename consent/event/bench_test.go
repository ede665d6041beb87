package event_test

import (
	"fmt"
	"testing"

	"contactsync/consent/contact"
	"contactsync/consent/event"
)

// What one decision costs on its way: e-service, intake, outcome, e-service again. Each round is about another person, as in
// life: one that was seen before costs less.
func BenchmarkDecision(b *testing.B) {
	d, o := shared(), outcomes()["outcome-unchanged"]
	d.Actor = event.Actor{Role: event.RoleResident}
	const persons = 1 << 14
	var records, told [persons]record
	for i := range persons {
		number := numbered(i)
		d.Person, o.Person = contact.KnownPersonID(contact.RootPersonnummer, number), event.AsSent(contact.RootPersonnummer, number)
		records[i].headers, records[i].value = d.Binary()
		told[i].headers, told[i].value = o.Binary()
	}
	for name, step := range map[string]func(i int){
		"Read":          func(i int) { event.Read(records[i].headers, records[i].value, now) },
		"ReadOutcome":   func(i int) { _, _ = event.ReadOutcome(told[i].headers, told[i].value) },
		"Binary":        func(int) { d.Binary() },
		"OutcomeBinary": func(int) { o.Binary() },
		"Key":           func(int) { event.Key([]byte(event.DevelopmentPepper), d.Person) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				step(i % persons)
			}
		})
	}
}

type record struct {
	headers []event.Header
	value   []byte
}

// numbered is a personnummer with its check digit.
func numbered(i int) string {
	digits := fmt.Sprintf("19%02d%02d%02d%03d", 30+i/1000%60, 1+i/7%12, 1+i/84%28, i%1000)
	sum := 0
	for at, weight := len(digits)-1, 2; at >= 2; at, weight = at-1, 3-weight {
		product := int(digits[at]-'0') * weight
		sum += product/10 + product%10
	}
	return digits + fmt.Sprint((10-sum%10)%10)
}
