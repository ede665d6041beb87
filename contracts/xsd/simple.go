package xsd

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"contactsync/contracts/rivta"
)

// Simple is the kind of a simple type. What is written is judged as what is read.
func Simple[T any](name xml.Name, parse func(string) (T, error), format func(T) string) Kind[T] {
	return Kind[T]{
		name: name,
		read: func(_ *Walker, e *rivta.Element, v *T) (err error) {
			if len(e.Children) > 0 {
				return errors.New("elements where text belongs")
			}
			*v, err = parse(e.Text)
			return err
		},
		write: func(w *Walker, name xml.Name, v *T) error {
			text := format(*v)
			_, err := parse(text)
			w.text = rivta.AppendInside(w.text, w.around, &rivta.Element{Name: name, Text: text})
			return err
		},
	}
}

func schema(local string) xml.Name { return xml.Name{Space: schemaNamespace, Local: local} }

// Text is a string of min to max characters, white space counted and kept.
func Text(name xml.Name, minimum, maximum int) Kind[string] {
	parse := func(s string) (string, error) {
		length := utf8.RuneCountInString(s)
		switch {
		case length < minimum || length > maximum:
			return s, fmt.Errorf("not %d to %d characters", minimum, maximum)
		case !rivta.IsText(s):
			return s, errors.New("characters that XML cannot carry")
		}
		return s, nil
	}
	return Simple(name, parse, func(s string) string { return s })
}

const unbounded = 1 << 30 // the length of a message is bounded before

// Kinds that each message needs many times are made once.
var (
	stringKind  = Text(schema("string"), 0, unbounded)
	intKind     = Integer(schema("int"), -1<<31, 1<<31-1)
	booleanKind = Simple(schema("boolean"), parseBoolean, strconv.FormatBool)
)

// String is any text.
func String() Kind[string] { return stringKind }

// Integer is a whole number of minimum to maximum.
func Integer(name xml.Name, minimum, maximum int) Kind[int] {
	parse := func(s string) (int, error) {
		n, err := strconv.Atoi(Trim(s))
		if err != nil || n < minimum || n > maximum {
			return 0, fmt.Errorf("not an integer of %d to %d", minimum, maximum)
		}
		return n, nil
	}
	return Simple(name, parse, strconv.Itoa)
}

// Int is xs:int.
func Int() Kind[int] { return intKind }

// Boolean is xs:boolean; 1 and 0 are read, true and false are written.
func Boolean() Kind[bool] { return booleanKind }

func parseBoolean(s string) (bool, error) {
	switch Trim(s) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errors.New("not a boolean")
}

// dateText is the form of xs:date: years of more than four digits and before our era, and a time zone, are allowed.
var dateText = regexp.MustCompile(`^(-?(?:[1-9][0-9]{4,8}|[0-9]{4}))-([0-9]{2})-([0-9]{2})` +
	`(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?$`)

// Date keeps a date as written.
func Date() Kind[string] {
	parse := func(s string) (string, error) {
		s = Trim(s)
		match := dateText.FindStringSubmatch(s)
		if match == nil || !IsDay(match[1], match[2], match[3]) {
			return s, errors.New("not a date")
		}
		return s, nil
	}
	return Simple(schema("date"), parse, func(s string) string { return s })
}

// timeText is the form of the time in xs:dateTime, with its zone.
var timeText = regexp.MustCompile(`^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?)` +
	`(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?$`)

// DateTime keeps a date with a time as written.
func DateTime() Kind[string] {
	parse := func(s string) (string, error) {
		s = Trim(s)
		day, clock, _ := strings.Cut(s, "T")
		match := dateText.FindStringSubmatch(day + "Z") // a day with a zone of its own has two now
		if match == nil || !IsDay(match[1], match[2], match[3]) || !timeText.MatchString(clock) {
			return s, errors.New("not a date with a time")
		}
		return s, nil
	}
	return Simple(schema("dateTime"), parse, func(s string) string { return s })
}

// Base64 keeps xs:base64Binary as written.
func Base64() Kind[string] {
	parse := func(s string) (string, error) {
		bare := strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(s)
		if _, err := base64.StdEncoding.Strict().DecodeString(bare); err != nil {
			return s, errors.New("not in base 64")
		}
		return s, nil
	}
	return Simple(schema("base64Binary"), parse, func(s string) string { return s })
}

// AnyURI keeps xs:anyURI as written. The standard lets nearly every text be one.
func AnyURI() Kind[string] { return Text(schema("anyURI"), 0, unbounded) }

// Enumeration is a string that is one of a few.
func Enumeration(name xml.Name, values ...string) Kind[string] {
	parse := func(s string) (string, error) {
		if !slices.Contains(values, s) {
			return s, errors.New("not one of " + strings.Join(values, ", "))
		}
		return s, nil
	}
	return Simple(name, parse, func(s string) string { return s })
}

// IsDay tells whether three numbers name a day. There is no year 0.
func IsDay(year, month, day string) bool {
	y, err1 := strconv.Atoi(year)
	m, err2 := strconv.Atoi(month)
	d, err3 := strconv.Atoi(day)
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return errors.Join(err1, err2, err3) == nil && y != 0 && t.Month() == time.Month(m) && t.Day() == d
}
