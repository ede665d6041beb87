package contact_test

import (
	"testing"

	"contactsync/consent/contact"
)

func FuzzParsePersonID(f *testing.F) {
	for _, r := range rows(f, "identities.json") {
		f.Add(r.Root, r.Extension)
	}
	f.Fuzz(func(t *testing.T, root, extension string) {
		id, err := contact.ParsePersonID(root, extension, testToday)
		checkOutcome(t, err, id.IsZero())
		if err != nil {
			return
		}
		if again, err := contact.ParsePersonID(id.Root(), id.RevealExtension(), testToday); err != nil || again != id {
			t.Errorf("%q judged again: %q, %v", extension, again.RevealExtension(), err)
		}
		if years, known := id.Age(testToday); !known || years < 0 || years > 126 {
			t.Errorf("age of %q: %d, %v", extension, years, known)
		}
		checkRedacted(t, id, "[person]")
	})
}

func FuzzParseMobile(f *testing.F) { fuzzChannel(f, contact.Mobile, "mobiles.json") }

func FuzzParseEmail(f *testing.F) { fuzzChannel(f, contact.Email, "emails.json") }

func fuzzChannel(f *testing.F, channel contact.Channel, file string) {
	for _, r := range rows(f, file) {
		f.Add(r.Input)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		value, err := channel.Parse(raw)
		checkOutcome(t, err, value.IsZero())
		checkStable(t, channel, value)
		checkRedacted(t, value, "[value]")
		if channel == contact.Mobile {
			checkAgainstLibrary(t, raw)
		}
	})
}
