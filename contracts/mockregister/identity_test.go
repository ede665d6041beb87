package mockregister

import (
	"testing"
	"time"
)

func TestPersonnummer(t *testing.T) {
	t.Parallel()
	day := func(year, month, day int) time.Time {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	}
	for _, tt := range []struct{ name, got, want string }{
		// The first two are published test numbers, the third the example of a coordination number in TKB 5.1.
		{"of a child", personnummer(day(2017, 1, 1), 239), "201701012393"},
		{"of an adult", personnummer(day(1985, 7, 9), 980), "198507099805"},
		{"coordination number", samordningsnummer(day(1970, 10, 3), 239), "197010632391"},
		{"serial below a hundred", personnummer(day(1930, 1, 1), 1), "193001010010"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestGeneratedNumbersAreUniqueAdults(t *testing.T) {
	t.Parallel()
	const count = 1_000_000 // enough for the test serials to run out
	seen := make(map[string]struct{}, count)
	others := 0
	for number := range adultNumbers() {
		if _, again := seen[number]; again {
			t.Fatalf("number %d comes twice", len(seen))
		}
		seen[number] = struct{}{}
		if len(number) != 12 || number > "2006" || number < "1930" {
			t.Fatalf("number %d is no adult's", len(seen))
		}
		switch serial := number[8:11]; {
		case serial < "980":
			others++
		case others > 0:
			t.Fatal("a test serial comes after another one")
		}
		if len(seen) == count {
			break
		}
	}
	if want := count - 20*27_759; others != want {
		t.Errorf("%d numbers have other serials than those for tests, want %d", others, want)
	}
}
