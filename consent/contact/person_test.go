package contact_test

import (
	"testing"
	"time"

	"contactsync/consent/contact"
)

func TestAge(t *testing.T) {
	t.Parallel()
	const pnr, snr = contact.RootPersonnummer, contact.RootSamordningsnummer
	for _, tt := range []struct {
		about, root, extension, on string
		years                      int
		known                      bool
	}{
		{"the day before the thirteenth birthday", pnr, "201701012393", "2029-12-31", 12, true},
		{"the thirteenth birthday", pnr, "201701012393", "2030-01-01", 13, true},
		{"the day of birth", pnr, "201701012393", "2017-01-01", 0, true},
		{"the day before birth", pnr, "201701012393", "2016-12-31", 0, false},
		{"born on a leap day, 28 February", pnr, "200002299857", "2013-02-28", 12, true},
		{"born on a leap day, 1 March", pnr, "200002299857", "2013-03-01", 13, true},
		{"coordination number, the day before the birthday", snr, "197010632391", "2026-10-02", 55, true},
		{"coordination number, the birthday", snr, "197010632391", "2026-10-03", 56, true},
		{"day unknown: as if born on the first", snr, "201707609800", "2030-07-01", 13, true},
		{"day unknown, the month before", snr, "201707609800", "2030-06-30", 12, true},
		{"month and day unknown: as if born on New Year's Day", snr, "201700609800", "2030-01-01", 13, true},
		{"month and day unknown, the year before", snr, "201700609800", "2029-12-31", 12, true},
		{"nobody", "", "", "2030-01-01", 0, false},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			on, err := time.Parse(time.DateOnly, tt.on)
			if err != nil {
				t.Fatal(err)
			}
			years, known := contact.KnownPersonID(tt.root, tt.extension).Age(on)
			if years != tt.years || known != tt.known {
				t.Errorf("%d, %v; want %d, %v", years, known, tt.years, tt.known)
			}
		})
	}
}
