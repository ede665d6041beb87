package contact

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"contactsync/consent/reason"
)

// OIDs of the identity types (IIType.root), from TKB 5.1.
const (
	RootPersonnummer      = "1.2.752.129.2.1.3.1"
	RootSamordningsnummer = "1.2.752.129.2.1.3.3"
	RootNationalReserve   = "1.2.752.74.9.1" // recognised, and refused by name: nobody with one can log in to decide
)

// PersonID is a judged person identity. The zero value is nobody. It prints as "[person]".
// Identities are equal (==) when root and extension are.
type PersonID struct {
	root      string
	extension hidden
}

// KnownPersonID wraps an identity that was judged before, such as one read back from our own database.
func KnownPersonID(root, extension string) PersonID { return PersonID{root, hide(extension)} }

// Root is the OID of the identity type.
func (p PersonID) Root() string { return p.root }

// RevealExtension returns the twelve digits. Only wire formats and stores may call it.
func (p PersonID) RevealExtension() string { return p.extension.reveal() }

// IsZero tells whether this is nobody.
func (p PersonID) IsZero() bool { return p == PersonID{} }

// Format prints the redacted form whatever the verb.
func (PersonID) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[person]") }

// LogValue implements slog.LogValuer: identities never reach a log.
func (PersonID) LogValue() slog.Value { return slog.StringValue("[person]") }

// MarshalText refuses: an identity must be revealed on purpose to be encoded.
func (PersonID) MarshalText() ([]byte, error) { return nil, errRedacted }

// ParsePersonID judges a personnummer or samordningsnummer: twelve digits, a real date not after the calendar date of today,
// the check digit. A samordningsnummer has 60 added to its day; its month and day may be 00, unknown, as the register allows
// (months 00–12, days 60–91). Hyphens and spaces are refused: the contract says twelve digits. The error is a reason.Refusal
// of the family form_invalid:identity_*.
func ParsePersonID(root, extension string, today time.Time) (PersonID, error) {
	if code := judgePersonID(root, extension, today); code != "" {
		return PersonID{}, reason.Refuse(code)
	}
	return KnownPersonID(root, extension), nil
}

func judgePersonID(root, extension string, today time.Time) reason.Code {
	switch {
	case root == RootNationalReserve:
		return reason.FormIdentityReserveNumber
	case root != RootPersonnummer && root != RootSamordningsnummer:
		return reason.FormIdentityRoot
	case isReserveNumber(extension):
		return reason.FormIdentityReserveNumber
	case len(extension) != 12 || !allDigits(extension):
		return reason.FormIdentityDigits
	}
	born, coordination := birthOf(extension)
	switch {
	case born.year < 1900 || born.year > 2099:
		// Nobody born in the 1800s is alive; such a number is a slip of the hand or a default value.
		return reason.FormIdentityCentury
	case coordination != (root == RootSamordningsnummer):
		return reason.FormIdentityRootMismatch
	case !born.real() || !coordination && !born.complete():
		return reason.FormIdentityDate
	case born.earliest().after(dateOf(today)):
		return reason.FormIdentityFuture
	case !luhn(extension[2:]):
		return reason.FormIdentityCheckDigit
	}
	return ""
}

// Age returns the age in whole years on the calendar date of on, or the oldest possible age if month or day of birth is unknown.
// So "known && years < 13" is true only of who is under 13 for certain, which is what the rule on guardians asks.
// known is false for nobody and for who is not born yet.
func (p PersonID) Age(on time.Time) (years int, known bool) {
	extension := p.RevealExtension()
	if len(extension) != 12 || !allDigits(extension) {
		return 0, false
	}
	born, _ := birthOf(extension)
	first, day := born.earliest(), dateOf(on)
	if first.after(day) {
		return 0, false
	}
	years = day.year - first.year
	if (date{day.year, first.month, first.day}).after(day) {
		years--
	}
	return years, true
}

// date is a calendar date without a zone; month or day 0 is unknown.
type date struct{ year, month, day int }

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date{year, int(month), day}
}

// birthOf reads the first eight of twelve digits and tells whether 60 was added to the day.
func birthOf(extension string) (born date, coordination bool) {
	n, _ := strconv.Atoi(extension[:8]) // the caller has seen that these are digits
	born = date{n / 10000, n / 100 % 100, n % 100}
	if born.day < 60 {
		return born, false
	}
	born.day -= 60
	return born, true
}

func (d date) complete() bool { return d.month > 0 && d.day > 0 }

// earliest puts the first month and day where they are unknown. (A day of an unknown month is at most 31: January has it.)
func (d date) earliest() date { return date{d.year, max(d.month, 1), max(d.day, 1)} }

// real tells whether the calendar has the date, whatever stands in for what is unknown.
func (d date) real() bool {
	e := d.earliest()
	return dateOf(time.Date(e.year, time.Month(e.month), e.day, 0, 0, 0, 0, time.UTC)) == e
}

func (d date) after(other date) bool {
	if d.year != other.year {
		return d.year > other.year
	}
	if d.month != other.month {
		return d.month > other.month
	}
	return d.day > other.day
}

// luhn tells whether the last digit is the check digit of those before it (SKVM 2010:3).
func luhn(digits string) bool {
	sum := 0
	for i, weight := len(digits)-1, 1; i >= 0; i, weight = i-1, 3-weight {
		product := int(digits[i]-'0') * weight
		sum += product/10 + product%10
	}
	return sum%10 == 0
}

// isReserveNumber recognises the form of a national reserve number, XXYYMMDDNNGC with letters for NN, under a wrong root.
func isReserveNumber(extension string) bool {
	const letters = "ABCDEFGHJKLMNPRSTUXYZ" // I O Q V W are not used: too like 1 0 0 U VV
	return len(extension) == 12 && allDigits(extension[:8]+extension[10:]) &&
		strings.Contains(letters, extension[8:9]) && strings.Contains(letters, extension[9:10])
}

func allDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
