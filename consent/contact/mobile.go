package contact

import (
	"bytes"
	"errors"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"contactsync/consent/reason"
)

// homeRegion is where a number without a country code belongs.
const homeRegion = "SE"

// ParseMobile judges a mobile number and returns it in E.164. Between the digits there may be spaces, hyphens, dots and parentheses,
// before them one plus; with that settled, every verdict is libphonenumber's for a number dialled in Sweden, so 0046… and 46…
// are read as +46…. Foreign mobile numbers are accepted. So are numbers of countries whose plan does not tell mobile
// from fixed (the United States, Canada): refusing them would refuse every mobile number there.
// The error is a reason.Refusal: empty, control characters, or of the family value_invalid:mobile_*.
func ParseMobile(raw string) (Value, error) {
	if e164, ok := plainSwedishMobile(raw); ok {
		return KnownValue(e164), nil
	}
	return parseMobile(raw)
}

// plainSwedishMobile knows at sight what nearly everybody writes: 07… with ten digits, or +467… with eleven, whose next digit is one
// of those that Swedish mobile numbers have. libphonenumber takes a hundred times as long to say the same; a test holds the
// two together. False says nothing about the number.
func plainSwedishMobile(raw string) (e164 string, ok bool) {
	if len(raw) > phonenumbers.MAX_INPUT_STRING_LENGTH {
		return "", false
	}
	const longest = len("+46701740605")
	digits := make([]byte, 0, longest)
	for i := range len(raw) {
		switch c := raw[i]; {
		case c >= '0' && c <= '9', c == '+' && len(digits) == 0:
			if len(digits) == longest {
				return "", false
			}
			digits = append(digits, c)
		case !isSeparator(rune(c)):
			return "", false
		}
	}
	national := digits
	for _, prefix := range []string{"0", "+46"} {
		if rest, found := bytes.CutPrefix(digits, []byte(prefix)); found {
			national = rest
		}
	}
	const length = len("701740605")
	if len(national) != length || len(digits) == length || national[0] != '7' || !bytes.ContainsRune([]byte("02369"), rune(national[1])) {
		return "", false
	}
	return "+46" + string(national), true
}

// parseMobile asks libphonenumber.
func parseMobile(raw string) (Value, error) {
	if code := judgeMobileText(raw); code != "" {
		return Value{}, reason.Refuse(code)
	}
	number, err := phonenumbers.Parse(raw, homeRegion)
	if err != nil {
		return Value{}, reason.Refuse(unreadable(err))
	}
	if code := judgeMobile(number); code != "" {
		return Value{}, reason.Refuse(code)
	}
	return KnownValue(phonenumbers.Format(number, phonenumbers.E164)), nil
}

// judgeMobileText judges what libphonenumber would silently drop or translate: letters, full-width digits, extensions.
func judgeMobileText(raw string) reason.Code {
	switch {
	case strings.TrimSpace(raw) == "":
		return reason.ValueEmpty
	case len(raw) > phonenumbers.MAX_INPUT_STRING_LENGTH:
		return reason.MobileTooLong
	case strings.ContainsFunc(raw, invisible):
		return reason.ValueControlCharacters
	case onlyMobileCharacters(raw):
		return ""
	case hasExtension(raw):
		return reason.MobileExtension
	}
	return reason.MobileCharacters
}

// onlyMobileCharacters tells whether raw is digits, space, -(). and at most one plus, before the first digit.
func onlyMobileCharacters(raw string) bool {
	if start := strings.Trim(raw, " -()."); strings.HasPrefix(start, "+") {
		raw = start[1:]
	}
	return strings.Trim(strings.Map(dropSeparator, raw), "0123456789") == ""
}

func dropSeparator(r rune) rune {
	if isSeparator(r) {
		return -1
	}
	return r
}

func isSeparator(r rune) bool { return strings.ContainsRune(" -().", r) }

// hasExtension tells whether libphonenumber sees a number with an extension ("ext 2", "#2", ";ext=2"), or the Swedish word for one
// stands there. It also takes what follows a comma for one: only if the number is whole without it.
func hasExtension(raw string) bool {
	if strings.Contains(strings.ToLower(raw), "ankn") {
		return true
	}
	number, err := phonenumbers.Parse(raw, homeRegion)
	return err == nil && number.GetExtension() != "" && phonenumbers.IsValidNumber(number)
}

func unreadable(err error) reason.Code {
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return reason.MobileCountryCode
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return reason.MobileTooLong
	}
	return reason.MobileTooShort // with the characters we let through, every other error is one of too few digits
}

func judgeMobile(number *phonenumbers.PhoneNumber) reason.Code {
	if !phonenumbers.IsValidNumber(number) {
		return judgeLength(number)
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return ""
	case phonenumbers.FIXED_LINE:
		return reason.MobileFixedLine
	case phonenumbers.PAGER:
		return reason.MobilePager
	case phonenumbers.SHARED_COST:
		return reason.MobileSharedCost
	case phonenumbers.TOLL_FREE:
		return reason.MobileTollFree
	case phonenumbers.PREMIUM_RATE:
		return reason.MobilePremiumRate
	case phonenumbers.PERSONAL_NUMBER:
		return reason.MobilePersonalNumber
	case phonenumbers.VOIP:
		return reason.MobileVoIP
	}
	return reason.MobileOtherType
}

// judgeLength tells why a number is not valid. libphonenumber knows the lengths of a country, not of its mobile numbers, and
// would call 070-17406 possible: so Swedish numbers that begin as mobile numbers do are held against the nine digits those have.
func judgeLength(number *phonenumbers.PhoneNumber) reason.Code {
	const swedishMobileLength = 9
	national := strings.TrimLeft(phonenumbers.GetNationalSignificantNumber(number), "0")
	swedishMobile := number.GetCountryCode() == 46 && strings.HasPrefix(national, "7")
	possible := phonenumbers.IsPossibleNumberWithReason(number)
	switch {
	case possible == phonenumbers.TOO_SHORT, possible == phonenumbers.IS_POSSIBLE_LOCAL_ONLY,
		swedishMobile && len(national) < swedishMobileLength:
		return reason.MobileTooShort
	case possible == phonenumbers.TOO_LONG, swedishMobile && len(national) > swedishMobileLength:
		return reason.MobileTooLong
	}
	return reason.MobileInvalid
}

// invisible characters are controls, and marks of direction or joining that come along when a value is pasted: the person does
// not see what is wrong, and is told.
func invisible(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
