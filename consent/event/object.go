package event

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// object is a JSON object taken apart by exact names. encoding/json alone would match names whatever their case, let the
// last of two equal names win unseen, and give up at 10 000 nested arrays in a field that nobody reads.
type object struct {
	named[member]
	doubtful bool // some name stands there with two different values
}

// member is what stands under one name, as it was written.
type member struct {
	raw    string   // the first value
	others []string // further values that differ from it
}

const byteOrderMark = "\ufeff"

// parse takes one JSON object apart, into an object that is empty; a byte order mark before it is skipped.
func (o *object) parse(written string) bool {
	s := scanner{text: strings.TrimPrefix(written, byteOrderMark)}
	if !s.take('{') {
		return false
	}
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return false
		}
		quoted, ok := s.name()
		s.next()
		start := s.at
		if !ok || !s.value() {
			return false
		}
		name, _ := text(quoted)
		o.add(name, s.text[start:s.at])
	}
	s.next()
	return s.at == len(s.text)
}

func (o *object) add(name, raw string) {
	m := o.find(name)
	if m == nil {
		o.put(name, member{raw: raw})
		return
	}
	if m.raw != raw {
		m.others = append(m.others, raw)
		o.doubtful = true
	}
}

// ambiguous tells whether one of the names stands there with two different values.
func (o *object) ambiguous(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		m := o.find(name)
		return m != nil && len(m.others) > 0
	})
}

// says tells whether any value of the name is that text.
func (o *object) says(name, want string) bool {
	same := func(raw string) bool {
		got, ok := text(raw)
		return ok && got == want
	}
	m := o.find(name)
	return m != nil && (same(m.raw) || slices.ContainsFunc(m.others, same))
}

// raw is the first value of a field as it was written; empty if it is missing.
func (o *object) raw(name string) string {
	if m := o.find(name); m != nil {
		return m.raw
	}
	return ""
}

// object takes a field apart that is an object itself.
func (o *object) object(name string) (field object, ok bool) {
	ok = field.parse(o.raw(name))
	return field, ok
}

func (o *object) isObject(name string) bool {
	raw := o.raw(name)
	return raw != "" && raw[0] == '{'
}

// text reads a field that is a JSON string.
func (o *object) text(name string) (string, bool) { return text(o.raw(name)) }

// absent tells whether a field is missing or null.
func (o *object) absent(name string) bool {
	raw := o.raw(name)
	return raw == "" || raw == "null"
}

// text reads a value that is a JSON string. What needs no decoding is a part of the value itself.
func text(raw string) (string, bool) {
	if raw == "" || raw[0] != '"' {
		return "", false
	}
	inside := raw[1 : len(raw)-1]
	if !strings.ContainsFunc(inside, encoded) {
		return inside, true
	}
	var s string
	err := json.Unmarshal([]byte(raw), &s)
	return s, err == nil
}

// encoded tells of runes that may stand for another text, as an escape or as broken UTF-8.
func encoded(r rune) bool { return r == '\\' || r > unicode.MaxASCII }
