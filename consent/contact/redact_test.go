package contact_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"contactsync/consent/contact"
)

func TestPersonalDataPrintsRedacted(t *testing.T) {
	t.Parallel()
	checkRedacted(t, contact.KnownValue("anna@example.se"), "[value]")
	checkRedacted(t, contact.Value{}, "[value]")
	checkRedacted(t, contact.KnownPersonID(contact.RootPersonnummer, "198507099805"), "[person]")
	checkRedacted(t, contact.PersonID{}, "[person]")
}

// TestUnexportedFieldsDoNotLeak: fmt calls no method on a value in an unexported field, nor for the verbs %p and %w.
func TestUnexportedFieldsDoNotLeak(t *testing.T) {
	t.Parallel()
	const value, extension = "anna@example.se", "198507099805"
	held := struct {
		value  contact.Value
		person contact.PersonID
		byID   map[contact.PersonID][]contact.Value
	}{value: contact.KnownValue(value), person: contact.KnownPersonID(contact.RootPersonnummer, extension)}
	held.byID = map[contact.PersonID][]contact.Value{held.person: {held.value}}

	var out bytes.Buffer
	for _, verb := range append(verbs, "%p", "%w") {
		fmt.Fprintf(&out, verb, held)
		fmt.Fprintf(&out, verb, held.value)
		fmt.Fprintf(&out, verb, held.person)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("test", "held", held, "pointer", &held)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("test", "held", held, "pointer", &held)
	for _, secret := range []string{value, extension, fmt.Sprintf("%x", value), fmt.Sprintf("%x", extension)} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q leaks: %s", secret, out.String())
		}
	}
}

func TestKnownRevealsWhatWasWrapped(t *testing.T) {
	t.Parallel()
	if got := contact.KnownValue("anna@example.se").Reveal(); got != "anna@example.se" {
		t.Errorf("revealed %q", got)
	}
	if contact.KnownValue("a") == contact.KnownValue("b") || contact.KnownValue("a") != contact.KnownValue(strings.ToLower("A")) {
		t.Error("equality of values is not that of their texts")
	}
	if !contact.KnownValue("").IsZero() || (contact.Value{}).Reveal() != "" {
		t.Error("the zero value is not the empty text")
	}
	if p := contact.KnownPersonID("r", "1"); p == contact.KnownPersonID("r", "2") || p == contact.KnownPersonID("q", "1") || p != contact.KnownPersonID("r", "1") {
		t.Error("equality of identities is not that of root and extension")
	}
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08.3f"}

// checkRedacted prints personal data in every way that logs and errors use, and wants the placeholder alone.
func checkRedacted(t *testing.T, data slog.LogValuer, want string) {
	t.Helper()
	for _, verb := range verbs {
		if got := fmt.Sprintf(verb, data); got != want {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if got := data.LogValue().String(); got != want {
		t.Errorf("logged as %q", got)
	}
	if body, err := json.Marshal(data); err == nil {
		t.Errorf("encoded as %s", body)
	}
}
