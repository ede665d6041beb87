package event

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
)

// object is a JSON object taken apart by exact names. encoding/json alone would match names whatever their case, let the
// last of two equal names win unseen, and give up at 10 000 nested arrays in a field that nobody reads.
type object struct {
	fields map[string]json.RawMessage   // the first value of each name
	others map[string][]json.RawMessage // further values of a name that stands there again with another value
}

// parseObject takes one JSON object apart; a byte order mark before it is skipped.
func parseObject(text []byte) (object, bool) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // a huge number is text, not a float
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return object{}, false
	}
	o := object{fields: map[string]json.RawMessage{}, others: map[string][]json.RawMessage{}}
	for dec.More() {
		name, err := dec.Token()
		after := dec.InputOffset()
		if err != nil || skipValue(dec) != nil {
			return object{}, false
		}
		o.add(name, bytes.TrimLeft(text[after:dec.InputOffset()], ": \t\r\n"))
	}
	_, err := dec.Token()
	_, end := dec.Token()
	return o, err == nil && end == io.EOF
}

// skipValue reads one value, however deep. It goes token by token since decoding a whole value has a limit of depth.
func skipValue(dec *json.Decoder) error {
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (o object) add(token json.Token, raw json.RawMessage) {
	name, _ := token.(string) // the decoder gives nothing else where a name stands
	first, again := o.fields[name]
	if !again {
		o.fields[name] = raw
		return
	}
	if !bytes.Equal(first, raw) {
		o.others[name] = append(o.others[name], raw)
	}
}

// ambiguous tells whether one of the names (any name, if none is given) stands there with two different values.
func (o object) ambiguous(names ...string) bool {
	for _, name := range names {
		if len(o.others[name]) > 0 {
			return true
		}
	}
	return len(names) == 0 && len(o.others) > 0
}

// says tells whether any value of the name is that text.
func (o object) says(name, want string) bool {
	same := func(raw json.RawMessage) bool {
		got, ok := text(raw)
		return ok && got == want
	}
	return same(o.fields[name]) || slices.ContainsFunc(o.others[name], same)
}

// object takes a field apart that is an object itself.
func (o object) object(name string) (object, bool) { return parseObject(o.fields[name]) }

// text reads a field that is a JSON string.
func (o object) text(name string) (string, bool) { return text(o.fields[name]) }

// absent tells whether a field is missing or null.
func (o object) absent(name string) bool {
	raw, found := o.fields[name]
	return !found || string(raw) == "null"
}

func text(raw json.RawMessage) (string, bool) {
	var s *string // stays nil for null
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}
