package contact_test

import (
	"regexp"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"contactsync/consent/contact"
)

// TestMobileVerdictsAreLibphonenumbers draws numbers near real ones, in the characters we let through.
func TestMobileVerdictsAreLibphonenumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		prefix := rapid.SampledFrom([]string{"", "0", "07", "070", "+46", "46", "0046", "+4670", "+46(0)7", "+", "00", "+1", "+44", "+49", "+358", "00354", "(+45)"}).Draw(rt, "prefix")
		checkAgainstLibrary(t, prefix+rapid.StringMatching(`([0-9][-(). ]{0,2}){0,14}`).Draw(rt, "digits"))
	})
}

// checkAgainstLibrary checks that in our characters, valid and possibly mobile is accepted, all else refused, and E.164 the same.
func checkAgainstLibrary(t *testing.T, raw string) {
	t.Helper()
	if !regexp.MustCompile(`^[-(). ]*\+?[-(). 0-9]*$`).MatchString(raw) {
		return
	}
	want := ""
	if number, err := phonenumbers.Parse(raw, "SE"); err == nil && phonenumbers.IsValidNumber(number) {
		switch phonenumbers.GetNumberType(number) {
		case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
			want = phonenumbers.Format(number, phonenumbers.E164)
		}
	}
	if value, err := contact.ParseMobile(raw); value.Reveal() != want {
		t.Errorf("ParseMobile(%q) = %q, %v; libphonenumber: %q", raw, value.Reveal(), err, want)
	}
}

func BenchmarkParseMobile(b *testing.B) {
	for b.Loop() {
		if _, err := contact.ParseMobile("070-174 06 05"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseEmail(b *testing.B) {
	for name, raw := range map[string]string{"plain": "anna.svensson@example.se", "international": "anna@räksmörgås.example"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := contact.ParseEmail(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
