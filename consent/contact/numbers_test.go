package contact_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// testToday is the day on which testdata/numbers/identities.json is true.
var testToday = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// row is a line of testdata/numbers: an input with the value or the code that is expected of it.
type row struct {
	About           string // a sentence
	Input           string // of mobiles and emails
	Root, Extension string // of identities
	Value           string // expected; empty where Code is not
	Code            reason.Code
}

func rows(t testing.TB, file string) []row {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "testdata", "numbers", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []row
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestNumbersAreAtLeastTwoHundred(t *testing.T) {
	t.Parallel()
	n := len(rows(t, "identities.json")) + len(rows(t, "mobiles.json")) + len(rows(t, "emails.json"))
	if n < 200 {
		t.Errorf("%d rows, want at least 200", n)
	}
}

func TestParsePersonID(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t, "identities.json") {
		t.Run(r.About, func(t *testing.T) {
			t.Parallel()
			id, err := contact.ParsePersonID(r.Root, r.Extension, testToday)
			if id.RevealExtension() != r.Value || reason.Of(err) != r.Code {
				t.Errorf("ParsePersonID(%q, %q) = %q, %q; want %q, %q", r.Root, r.Extension, id.RevealExtension(), reason.Of(err), r.Value, r.Code)
			}
			if err == nil && id.Root() != r.Root {
				t.Errorf("root %q, want %q", id.Root(), r.Root)
			}
			checkOutcome(t, err, id.IsZero())
		})
	}
}

func TestParseMobile(t *testing.T) {
	t.Parallel()
	testChannel(t, contact.Mobile, "mobiles.json")
}

func TestParseEmail(t *testing.T) {
	t.Parallel()
	testChannel(t, contact.Email, "emails.json")
}

func testChannel(t *testing.T, channel contact.Channel, file string) {
	for _, r := range rows(t, file) {
		t.Run(r.About, func(t *testing.T) {
			t.Parallel()
			value, err := channel.Parse(r.Input)
			if value.Reveal() != r.Value || reason.Of(err) != r.Code {
				t.Errorf("Parse(%q) = %q, %q; want %q, %q", r.Input, value.Reveal(), reason.Of(err), r.Value, r.Code)
			}
			checkOutcome(t, err, value.IsZero())
			checkStable(t, channel, value)
		})
	}
}

// TestEveryJudgementHasARow keeps testdata complete: each code of the three parsers is shown by a row.
func TestEveryJudgementHasARow(t *testing.T) {
	t.Parallel()
	shown := map[reason.Code]bool{}
	for _, file := range []string{"identities.json", "mobiles.json", "emails.json"} {
		for _, r := range rows(t, file) {
			shown[r.Code] = true
		}
	}
	for _, code := range judgementCodes() {
		if !shown[code] {
			t.Errorf("no row shows %s", code)
		}
	}
}

// judgementCodes are the codes of this package's parsers.
func judgementCodes() []reason.Code {
	codes := []reason.Code{reason.ValueEmpty, reason.ValueControlCharacters}
	for _, entry := range reason.List() {
		for _, family := range []string{"form_invalid:identity_", "value_invalid:mobile_", "value_invalid:email_"} {
			if strings.HasPrefix(string(entry.Code), family) {
				codes = append(codes, entry.Code)
			}
		}
	}
	return codes
}

// checkOutcome checks what holds of every judgement: a value or a refusal, never both or neither; and a refusal that is its
// code and nothing more, so that no way of printing it can give the input away.
func checkOutcome(t *testing.T, err error, zero bool) {
	t.Helper()
	if (err != nil) != zero {
		t.Errorf("zero value: %v, with error %v", zero, err)
	}
	if err == nil {
		return
	}
	refusal, ok := err.(*reason.Refusal) //nolint:errorlint // a wrapper could hold the input
	if !ok || *refusal != (reason.Refusal{Code: refusal.Code}) || errors.Unwrap(err) != nil {
		t.Fatalf("%T is not a bare refusal", err)
	}
	if !slices.Contains(judgementCodes(), refusal.Code) {
		t.Errorf("%s is not a listed code of this package", refusal.Code)
	}
}

// checkStable checks that a judged value is judged the same again, to the same text.
func checkStable(t *testing.T, channel contact.Channel, value contact.Value) {
	t.Helper()
	if value.IsZero() {
		return
	}
	if again, err := channel.Parse(value.Reveal()); err != nil || again != value {
		t.Errorf("%q judged again: %q, %v", value.Reveal(), again.Reveal(), err)
	}
}
