package contact

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var plainNumbers = flag.Int("contact.numbers", 50_000, "how many numbers are held against libphonenumber")

// TestPlainSwedishMobileIsLibphonenumbersVerdict draws numbers in and around the form that is known at sight, in all kinds of
// writing, and wants the same value from libphonenumber for each that is known.
func TestPlainSwedishMobileIsLibphonenumbersVerdict(t *testing.T) {
	t.Parallel()
	draws := rand.New(rand.NewPCG(46, 7))
	known := 0
	for range *plainNumbers {
		raw := writtenMobile(draws)
		e164, ok := plainSwedishMobile(raw)
		if !ok {
			continue
		}
		known++
		if value, err := parseMobile(raw); err != nil || value.Reveal() != e164 {
			t.Fatalf("%q is known as %q, libphonenumber says %q, %v", raw, e164, value.Reveal(), err)
		}
	}
	if known < *plainNumbers/4 {
		t.Errorf("only %d of %d numbers were known at sight", known, *plainNumbers)
	}
}

// writtenMobile is a number as somebody may write it: mostly a Swedish mobile number, at times with a digit too many, too few or
// of another kind of number.
func writtenMobile(draws *rand.Rand) string {
	prefixes := [...]string{"0", "0", "+46", "+46", "46", "0046", "+460", "+45", ""}
	digits := fmt.Sprintf("7%09d", draws.IntN(1e9))[:7+draws.IntN(4)]
	if draws.IntN(4) > 0 {
		digits = fmt.Sprintf("7%d%07d", [...]int{0, 2, 3, 6, 9}[draws.IntN(5)], draws.IntN(1e7))
	}
	var raw []byte
	for _, c := range []byte(prefixes[draws.IntN(len(prefixes))] + digits) {
		for draws.IntN(8) == 0 {
			raw = append(raw, " -()."[draws.IntN(5)])
		}
		raw = append(raw, c)
	}
	return string(raw)
}

// TestPlainEmailIsTheVerdictOfAllRules draws addresses in and around the form that is known at sight, and wants the same value from
// the rules for each that is known.
func TestPlainEmailIsTheVerdictOfAllRules(t *testing.T) {
	t.Parallel()
	draws := rand.New(rand.NewPCG(821, 2))
	known := 0
	for range *plainNumbers {
		raw := writtenEmail(draws)
		address, ok := plainEmail(raw)
		if !ok {
			continue
		}
		known++
		if value, err := parseEmail(raw); err != nil || value.Reveal() != address {
			t.Fatalf("%q is known as %q, the rules say %q, %v", raw, address, value.Reveal(), err)
		}
	}
	if known < *plainNumbers/10 {
		t.Errorf("only %d of %d addresses were known at sight", known, *plainNumbers)
	}
}

// writtenEmail strings together what addresses are made of, mostly in order.
func writtenEmail(draws *rand.Rand) string {
	parts := [...]string{
		"anna", "svensson", "A", "7", "x-y", "example", "EXAMPLE", "se", "com", "xn--rksmrgs-5wao1o", "Xn--a", "ab--c", "1", "127.0.0.1", "c0m",
		".", "-", "_", "+", "@", "..", "å", "\u212a", "\u017f", "\xff", " ", "\x00", "=?", "'", "~", "/", "[", "(", `"`, "\u200d",
	}
	word := func() string {
		if draws.IntN(60) == 0 {
			return strings.Repeat("a", draws.IntN(70))
		}
		if draws.IntN(12) == 0 {
			return parts[draws.IntN(len(parts))]
		}
		return parts[draws.IntN(9)]
	}
	raw := word()
	for draws.IntN(3) == 0 {
		raw += [...]string{".", "-", "_", "+"}[draws.IntN(4)] + word()
	}
	raw += "@" + word()
	for draws.IntN(2) == 0 {
		raw += [...]string{".", "-"}[draws.IntN(2)] + word()
	}
	return raw + "." + word()
}
