package personv4

import (
	"errors"
	"regexp"
	"strconv"

	"contactsync/contracts/xsd"
)

// errIdentity stands for all that can be wrong with an identity; what it is would say too much about the person.
var errIdentity = errors.New("malformed identity")

var (
	oidText    = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)
	digitsText = regexp.MustCompile(`^[0-9]{12}$`)
)

// Check judges the form of an identity: an OID with an extension and, for the two types that Skatteverket gives out, twelve
// digits with a date and a check digit. Whether anybody has it, only the register knows.
func (x ID) Check() error {
	ok := oidText.MatchString(x.Root) && x.Extension != ""
	switch x.Root {
	case RootPersonnummer:
		ok = ok && digitsText.MatchString(x.Extension) && hasDate(x.Extension) && hasCheckDigit(x.Extension)
	case RootSamordningsnummer:
		ok = ok && digitsText.MatchString(x.Extension) && hasShiftedDate(x.Extension) && hasCheckDigit(x.Extension)
	}
	if !ok {
		return errIdentity
	}
	return nil
}

func hasDate(digits string) bool { return xsd.IsDay(digits[:4], digits[4:6], digits[6:8]) }

// hasShiftedDate reads the date of a coordination number: 60 is added to the day, and month (00) or day (60) may be unknown.
func hasShiftedDate(digits string) bool {
	month, _ := strconv.Atoi(digits[4:6])
	day, _ := strconv.Atoi(digits[6:8])
	if month == 0 || day == 60 {
		return month <= 12 && day >= 60 && day <= 91
	}
	return day > 60 && xsd.IsDay(digits[:4], digits[4:6], strconv.Itoa(day-60))
}

// hasCheckDigit applies the Luhn formula to the ten digits behind the century.
func hasCheckDigit(digits string) bool {
	sum := 0
	for i, digit := range digits[2:] {
		n := int(digit-'0') * (2 - i%2)
		sum += n/10 + n%10
	}
	return sum%10 == 0
}
