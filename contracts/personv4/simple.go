package personv4

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"contactsync/contracts/rivta"
)

// simple is the kind of a simple type. What is written is judged as what is read.
func simple[T any](name xml.Name, parse func(string) (T, error), format func(T) string) kind[T] {
	return kind[T]{
		name: name,
		read: func(e rivta.Element) (v T, err error) {
			if len(e.Children) > 0 {
				return v, errors.New("elements where text belongs")
			}
			return parse(e.Text)
		},
		write: func(v T) (rivta.Element, error) {
			text := format(v)
			_, err := parse(text)
			return rivta.Element{Text: text}, err
		},
	}
}

func core(local string) xml.Name   { return xml.Name{Space: Namespace, Local: local} }
func schema(local string) xml.Name { return xml.Name{Space: schemaNamespace, Local: local} }

// text is a string of min to max characters, white space counted and kept.
func text(name xml.Name, minimum, maximum int) kind[string] {
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
	return simple(name, parse, func(s string) string { return s })
}

const unbounded = 1 << 30 // the length of a message is bounded before

func anyText() kind[string]    { return text(schema("string"), 0, unbounded) }
func codedValue() kind[string] { return text(core("CodedValue"), 0, 40) }
func string40() kind[string]   { return text(core("String40"), 0, 40) }
func string80() kind[string]   { return text(core("String80"), 0, 80) }
func timestamp() kind[string]  { return text(core("Timestamp"), 14, 14) }

func integer(name xml.Name, minimum, maximum int) kind[int] {
	parse := func(s string) (int, error) {
		n, err := strconv.Atoi(trim(s))
		if err != nil || n < minimum || n > maximum {
			return 0, fmt.Errorf("not an integer of %d to %d", minimum, maximum)
		}
		return n, nil
	}
	return simple(name, parse, strconv.Itoa)
}

func anyInt() kind[int]     { return integer(schema("int"), -1<<31, 1<<31-1) }
func postalCode() kind[int] { return integer(core("PostalCode"), 0, 99999) }

func boolean() kind[bool] {
	parse := func(s string) (bool, error) {
		switch trim(s) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
		return false, errors.New("not a boolean")
	}
	return simple(schema("boolean"), parse, strconv.FormatBool)
}

// dateText is the form of xs:date: years of more than four digits and before our era, and a time zone, are allowed.
var dateText = regexp.MustCompile(`^(-?(?:[1-9][0-9]{4,8}|[0-9]{4}))-([0-9]{2})-([0-9]{2})` +
	`(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?$`)

// date keeps a date as written.
func date() kind[string] {
	parse := func(s string) (string, error) {
		s = trim(s)
		match := dateText.FindStringSubmatch(s)
		if match == nil || !isDay(match[1], match[2], match[3]) {
			return s, errors.New("not a date")
		}
		return s, nil
	}
	return simple(schema("date"), parse, func(s string) string { return s })
}

// isDay tells whether three numbers name a day. There is no year 0.
func isDay(year, month, day string) bool {
	y, err1 := strconv.Atoi(year)
	m, err2 := strconv.Atoi(month)
	d, err3 := strconv.Atoi(day)
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return errors.Join(err1, err2, err3) == nil && y != 0 && t.Month() == time.Month(m) && t.Day() == d
}
