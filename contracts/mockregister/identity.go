package mockregister

import (
	"fmt"
	"iter"
	"time"
)

// personnummer is the identity of somebody born on the day, with its check digit. Serials 980 to 999 are those that the
// Swedish Tax Agency keeps for tests.
func personnummer(born time.Time, serial int) string {
	return withCheckDigit(born.Format("20060102") + fmt.Sprintf("%03d", serial))
}

// samordningsnummer is the coordination number of somebody born on the day: the same, with 60 added to the day.
func samordningsnummer(born time.Time, serial int) string {
	return withCheckDigit(born.Format("200601") + fmt.Sprintf("%02d%03d", born.Day()+60, serial))
}

// withCheckDigit appends the Luhn digit of an identity. The century, its first two digits, takes no part.
func withCheckDigit(eleven string) string {
	sum := 0
	for i, digit := range eleven[2:] {
		product := int(digit-'0') * (2 - i%2)
		sum += product/10 + product%10
	}
	return fmt.Sprintf("%s%d", eleven, (10-sum%10)%10)
}

// adultNumbers gives the personnummer of generated persons, all grown up, in an order that never changes: spread over the
// birthdays of 76 years, first with the test serials, which last for half a million persons, then with the others.
func adultNumbers() iter.Seq[string] {
	first := time.Date(1930, time.January, 1, 0, 0, 0, 0, time.UTC)
	const days = 27_759  // up to the end of 2005
	const stride = 7_919 // prime and no factor of days: every day comes once a round
	return func(yield func(string) bool) {
		for serial := range adultSerials() {
			for i := range days {
				if !yield(personnummer(first.AddDate(0, 0, i*stride%days), serial)) {
					return
				}
			}
		}
	}
}

func adultSerials() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range 999 {
			if !yield((979+i)%999 + 1) { // 980 … 999, 1 … 979
				return
			}
		}
	}
}
