package event

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"contactsync/consent/reason"
)

// MaxLine bounds a line of a file of events: twice what Kafka takes in one record unless told otherwise.
const MaxLine = 2 << 20

// Finding is one thing that is wrong with a line: the path in the event's JSON form (empty for the line as such), and why.
type Finding struct {
	Field string
	Code  reason.Code
}

// Line is one line of a file of events: a CloudEvent in JSON format whose data is the decision.
type Line struct {
	Received
	Headers []Header // the event's attributes, for binary mode
	Value   []byte   // its data, as they were written
}

// ReadLine reads a CloudEvent in JSON format. A missing id or time is filled in; everything else is judged as Read would.
// The error is a reason.Refusal: the line is no JSON object, so there is nothing to send.
func ReadLine(line []byte, now time.Time, newID func() string) (Line, error) {
	var body object
	if !body.parse(string(line)) {
		return Line{}, reason.Refuse(reason.FormJSON)
	}
	var e envelope
	e.unwrap(body)
	if body.absent("id") {
		e.attributes.set("id", newID())
	}
	if body.absent("time") {
		e.attributes.set("time", now.UTC().Format(time.RFC3339Nano))
	}
	return Line{Received: e.judge(now), Headers: e.headers(), Value: []byte(e.data)}, nil
}

// unreadableField names what is missing when a record is unreadable.
func unreadableField(code reason.Code) string {
	switch code {
	case reason.FormID:
		return "id"
	case reason.FormPerson:
		return "data.person"
	}
	return "data"
}

// Findings says all that is wrong with the event.
func (r Received) Findings() []Finding {
	if r.Unreadable != "" {
		return []Finding{{unreadableField(r.Unreadable), r.Unreadable}}
	}
	var findings []Finding
	for _, refusal := range r.Refusals {
		findings = append(findings, Finding(*refusal))
	}
	return findings
}

// headers gives the attributes for binary mode, those of this contract first.
func (e *envelope) headers() []Header {
	rest := map[string]string{}
	e.attributes.every(func(name string, value *string) bool {
		rest[name] = *value
		return true
	})
	var headers []Header
	for _, name := range [...]string{"specversion", "id", "type", "source", "time"} {
		if value, ok := rest[name]; ok {
			headers = append(headers, Header{"ce_" + name, []byte(value)})
		}
		delete(rest, name)
	}
	contentType, ok := rest["datacontenttype"]
	if !ok {
		contentType = binaryType
	}
	delete(rest, "datacontenttype")
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		if isExtension(name) {
			headers = append(headers, Header{"ce_" + name, []byte(rest[name])})
		}
	}
	return append(headers, Header{"content-type", []byte(contentType)})
}

// isExtension tells whether CloudEvents allows an attribute of that name.
func isExtension(name string) bool {
	return name != "" && strings.Trim(name, digits+"abcdefghijklmnopqrstuvwxyz") == ""
}

// FileLine is a line of a file of events, not yet read as one.
type FileLine struct {
	Number  int    // from 1
	Text    []byte // good until the next line is asked for; nil if TooLong
	TooLong bool   // beyond MaxLine
	More    bool   // something behind it is at hand already: no need to send what was gathered so far
}

// Lines gives the lines of a file that are not empty, in memory bounded by MaxLine. A read error comes last.
func Lines(r io.Reader) iter.Seq2[FileLine, error] {
	return func(yield func(FileLine, error) bool) {
		in := bufio.NewReaderSize(r, MaxLine)
		for number := 1; ; number++ {
			text, tooLong, err := readLine(in)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(FileLine{Number: number}, err)
				return
			}
			line := FileLine{Number: number, Text: text, TooLong: tooLong, More: in.Buffered() > 0}
			if (tooLong || len(bytes.TrimSpace(text)) > 0) && !yield(line, nil) {
				return
			}
		}
	}
}

// readLine reads a line, of one that is too long only its end.
func readLine(in *bufio.Reader) (text []byte, tooLong bool, err error) {
	text, more, err := in.ReadLine()
	if !more {
		return text, false, err
	}
	for more && err == nil {
		_, more, err = in.ReadLine()
	}
	return nil, true, err
}
