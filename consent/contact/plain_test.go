package contact

import (
	"flag"
	"fmt"
	"math/rand/v2"
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
