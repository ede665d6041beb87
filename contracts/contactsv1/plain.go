package contactsv1

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Bulks are read and written by hand where they are plain: texts of ASCII without escapes, whole numbers, members that there are, each
// once, none null. So are those of our own client and register, and encoding/json takes ten times as long for them. Whatever is not
// plain is left to encoding/json, with all that it finds wrong; a test holds both to the same results.

// plainReader goes through a JSON text. What it does not take to be plain ends it.
type plainReader struct {
	rest string // not read yet
	odd  bool   // it is not plain
}

// space goes over what may stand between the tokens.
func (r *plainReader) space() {
	for r.rest != "" && (r.rest[0] == ' ' || r.rest[0] == '\t' || r.rest[0] == '\n' || r.rest[0] == '\r') {
		r.rest = r.rest[1:]
	}
}

// take reads a token of one character, if it comes next.
func (r *plainReader) take(c byte) bool {
	r.space()
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *plainReader) must(c byte) {
	if !r.take(c) {
		r.odd = true
	}
}

// text reads a text.
func (r *plainReader) text() string {
	r.must('"')
	for i := range len(r.rest) {
		switch c := r.rest[i]; {
		case c == '"':
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			return text
		case !isPlain(c):
			r.odd = true
			return ""
		}
	}
	r.odd = true
	return ""
}

func isPlain(c byte) bool { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' }

// members reads an object, value reads the value of a member and gives it a bit of its own; 0: there is no such member.
func (r *plainReader) members(value func(name string) (bit uint)) {
	r.must('{')
	if r.take('}') {
		return
	}
	for seen := uint(0); !r.odd; {
		name := r.text()
		r.must(':')
		bit := value(name)
		if bit == 0 || seen&bit != 0 {
			r.odd = true
		}
		seen |= bit
		if !r.take(',') {
			r.must('}')
			return
		}
	}
}

// list reads an array.
func (r *plainReader) list(item func()) {
	r.must('[')
	if r.take(']') {
		return
	}
	for !r.odd {
		item()
		if !r.take(',') {
			r.must(']')
			return
		}
	}
}

// ended tells whether all was plain, and nothing is left.
func (r *plainReader) ended() bool {
	r.space()
	return !r.odd && r.rest == ""
}

// word reads true, false or a number.
func (r *plainReader) word() string {
	r.space()
	n := 0
	for n < len(r.rest) && (r.rest[n] == '-' || r.rest[n] >= '0' && r.rest[n] <= '9' || r.rest[n] >= 'a' && r.rest[n] <= 'z') {
		n++
	}
	word := r.rest[:n]
	r.rest = r.rest[n:]
	return word
}

func (r *plainReader) boolean() bool {
	word := r.word()
	if word != "true" && word != "false" {
		r.odd = true
	}
	return word == "true"
}

// integer reads a number that is not negative.
func (r *plainReader) integer() int64 {
	word := r.word()
	n, err := strconv.ParseUint(word, 10, 63)
	if err != nil || word[0] == '0' && word != "0" {
		r.odd = true
	}
	return int64(n)
}

// plainChanges reads a bulk change; false: it is not plain.
func plainChanges(body []byte) ([]Change, bool) {
	r := plainReader{rest: string(body)} // what is read are parts of it
	changes := make([]Change, 0, min(MaxItems, len(body)/100))
	r.members(func(name string) uint {
		if name != "changes" {
			return 0
		}
		r.list(func() { changes = append(changes, r.change()) })
		return 1
	})
	return changes, r.ended()
}

// The members of a change, as bits.
const (
	memberPerson = 1 << iota
	memberChannel
	memberDecision
	memberValue
	memberNotify
	memberRevision
	memberEventID
)

func (r *plainReader) change() (c Change) {
	r.members(func(name string) uint {
		switch name {
		case "person":
			c.Person = r.person()
			return memberPerson
		case "channel":
			c.Channel = Channel(r.text())
			return memberChannel
		case "decision":
			c.Decision = Decision(r.text())
			return memberDecision
		case "value":
			c.Value = r.text()
			return memberValue
		case "notify":
			c.Notify = new(r.boolean())
			return memberNotify
		case "revision":
			c.Revision = r.integer()
			return memberRevision
		case "eventId":
			c.EventID = r.text()
			return memberEventID
		}
		return 0
	})
	return c
}

func (r *plainReader) person() (p Person) {
	r.members(func(name string) uint {
		switch name {
		case "root":
			p.Root = r.text()
			return 1
		case "extension":
			p.Extension = r.text()
			return 2
		}
		return 0
	})
	return p
}

// plainOutcomes reads the answer to a bulk change; false: it is not plain.
func plainOutcomes(answer []byte) ([]Outcome, bool) {
	r := plainReader{rest: string(answer)}
	outcomes := make([]Outcome, 0, min(MaxItems, len(answer)/30))
	version := "" // the last one: most are the same
	r.members(func(name string) uint {
		if name != "outcomes" {
			return 0
		}
		r.list(func() {
			o := r.outcome()
			if o.Version != version {
				version = strings.Clone(o.Version) // who keeps a version need not keep the whole answer
			}
			o.Version = version
			outcomes = append(outcomes, o)
		})
		return 1
	})
	return outcomes, r.ended()
}

// The members of an outcome, as bits.
const (
	memberOutcome = 1 << iota
	memberCode
	memberVersion
	memberEffects
)

func (r *plainReader) outcome() (o Outcome) {
	r.members(func(name string) uint {
		switch name {
		case "outcome":
			o.Outcome = knownKind(r.text())
			return memberOutcome
		case "code":
			o.Code = strings.Clone(r.text())
			return memberCode
		case "version":
			o.Version = r.text()
			return memberVersion
		case "effects":
			o.Effects = []string{}
			r.list(func() { o.Effects = append(o.Effects, strings.Clone(r.text())) })
			return memberEffects
		}
		return 0
	})
	return o
}

func knownKind(text string) OutcomeKind {
	for _, kind := range [...]OutcomeKind{Applied, Duplicate, Superseded, Refused} {
		if text == string(kind) {
			return kind
		}
	}
	return OutcomeKind(strings.Clone(text))
}

// encodeChanges is json.Marshal of a bulk change.
func encodeChanges(changes []Change) []byte {
	if changes == nil {
		return []byte(`{"changes":null}`)
	}
	const each = 320 // about what a share takes
	text := append(make([]byte, 0, 32+each*len(changes)), `{"changes":[`...)
	for i, c := range changes {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendText(append(text, `{"person":{"root":`...), c.Person.Root)
		text = appendText(append(text, `,"extension":`...), c.Person.Extension)
		text = appendText(append(text, `},"channel":`...), string(c.Channel))
		text = appendText(append(text, `,"decision":`...), string(c.Decision))
		if c.Value != "" {
			text = appendText(append(text, `,"value":`...), c.Value)
		}
		if c.Notify != nil {
			text = strconv.AppendBool(append(text, `,"notify":`...), *c.Notify)
		}
		text = strconv.AppendInt(append(text, `,"revision":`...), c.Revision, 10)
		if c.EventID != "" {
			text = appendText(append(text, `,"eventId":`...), c.EventID)
		}
		text = append(text, '}')
	}
	return append(text, "]}"...)
}

// encode is the answer as sent.
func (a changeAnswer) encode() []byte {
	return append(appendOutcomes(append(make([]byte, 0, roomFor(a.Outcomes)), `{"outcomes":`...), a.Outcomes), "}\n"...)
}

// roomFor is about what outcomes take.
func roomFor(outcomes []Outcome) int { return 32 + 64*len(outcomes) }

// EncodeOutcomes is json.Marshal of outcomes.
func EncodeOutcomes(outcomes []Outcome) []byte {
	return appendOutcomes(make([]byte, 0, roomFor(outcomes)), outcomes)
}

func appendOutcomes(text []byte, outcomes []Outcome) []byte {
	if outcomes == nil {
		return append(text, "null"...)
	}
	text = append(text, '[')
	for i, o := range outcomes {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendText(append(text, `{"outcome":`...), string(o.Outcome))
		if o.Code != "" {
			text = appendText(append(text, `,"code":`...), o.Code)
		}
		if o.Version != "" {
			text = appendText(append(text, `,"version":`...), o.Version)
		}
		for j, effect := range o.Effects {
			opening := ","
			if j == 0 {
				opening = `,"effects":[`
			}
			text = appendText(append(text, opening...), effect)
		}
		if len(o.Effects) > 0 {
			text = append(text, ']')
		}
		text = append(text, '}')
	}
	return append(text, ']')
}

// appendText writes a text as json.Marshal does.
func appendText(text []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; !isPlain(c) || c == '<' || c == '>' || c == '&' {
			encoded, _ := json.Marshal(s) // of a string there is no error
			return append(text, encoded...)
		}
	}
	return append(append(append(text, '"'), s...), '"')
}
