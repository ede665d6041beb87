package contactsv1

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"contactsync/contracts/problem"
)

// maxDepth bounds how far objects and arrays of a request lie inside each other. None needs more than four.
const maxDepth = 8

// shape is what a request may be made of.
type shape struct {
	names []string // of members, anywhere
	nulls bool     // null stands for "none"
}

// malformed is the problem of what is no JSON text that we read.
func malformed(detail string) *problem.Problem {
	return problem.New(http.StatusBadRequest, CodeMalformed, detail)
}

// decode reads a JSON object strictly: in UTF-8, no member twice, none that there is not (a misspelt one would be lost in
// silence, and encoding/json takes any case for the same name), nothing behind it.
func decode(text []byte, s shape, into any) *problem.Problem {
	if !utf8.Valid(text) {
		return malformed("The body is not in UTF-8.")
	}
	if p := s.judge(text); p != nil {
		return p
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return problem.Invalid(CodeInvalid, property(wrong.Field), "type")
	}
	if errors.Is(err, errNoInteger) {
		return problem.Invalid(CodeInvalid, "changes.revision", "type")
	}
	if err != nil { // a member that belongs elsewhere
		return problem.Invalid(CodeInvalid, "body", "unknown_member")
	}
	return nil
}

// property names what a path of encoding/json leads to; empty where that is the body itself.
func property(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

// judge goes through the tokens once.
func (s shape) judge(text []byte) *problem.Problem {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var open []container
	for begun := false; ; begun = true {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && begun && len(open) == 0 {
			return nil
		}
		if err != nil {
			return malformed("The body is no JSON text.")
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			continue
		}
		if begun && len(open) == 0 {
			return malformed("The body is more than one JSON text.")
		}
		if len(open) > 0 && open[len(open)-1].takesName() {
			if p := s.judgeName(&open[len(open)-1], token); p != nil {
				return p
			}
			continue
		}
		if token == nil && !s.nulls {
			return problem.Invalid(CodeInvalid, lastName(open), "null")
		}
		if delim, ok := token.(json.Delim); ok {
			if open = append(open, container{object: delim == '{'}); len(open) > maxDepth {
				return malformed("Too much lies inside each other.")
			}
		} else if !begun {
			return malformed("The body is no JSON object.")
		}
	}
}

// container is an object or array that is being read.
type container struct {
	object, named bool // named: the next token is the member's value
	seen          []string
}

// takesName tells whether the next token names a member, and forgets that one was named.
func (c *container) takesName() bool {
	if !c.object || c.named {
		c.named = false
		return false
	}
	return true
}

func (s shape) judgeName(in *container, token json.Token) *problem.Problem {
	name, _ := token.(string) // the decoder takes nothing else for a name
	switch {
	case !slices.Contains(s.names, name):
		return problem.Invalid(CodeInvalid, shownName(name), "unknown_member")
	case slices.Contains(in.seen, name):
		return problem.Invalid(CodeInvalid, name, "member_twice")
	}
	in.named, in.seen = true, append(in.seen, name)
	return nil
}

func lastName(open []container) string {
	for _, c := range slices.Backward(open) {
		if len(c.seen) > 0 {
			return c.seen[len(c.seen)-1]
		}
	}
	return "body"
}

var nameText = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

// shownName is a member's name if it looks like one: anything may stand where a name belongs.
func shownName(name string) string {
	if nameText.MatchString(name) {
		return name
	}
	return "body"
}

// checks collects what is wrong with the members of a request.
type checks struct{ found []problem.InvalidParameter }

// maxFound bounds how much is told: a thousand items may all be wrong.
const maxFound = 20

func (c *checks) must(ok bool, reason, property string, args ...any) {
	if !ok && len(c.found) < maxFound {
		c.found = append(c.found, problem.InvalidParameter{Property: fmt.Sprintf(property, args...), Reason: reason})
	}
}

// problem is nil if nothing was found. It is returned as *problem.Problem only by those who ask whether it is nil.
func (c *checks) problem() *problem.Problem {
	if len(c.found) == 0 {
		return nil
	}
	p := problem.Invalid(CodeInvalid, "", "")
	p.InvalidParameters = c.found
	return p
}

func (c *checks) items(list string, count int) {
	c.must(count > 0, "too_few", "%s", list)
	c.must(count <= MaxItems, "too_many", "%s", list)
}

func (c *checks) person(p Person, list string, i int, inner string) {
	if isRoot(p.Root) && isExtension(p.Extension) { // fmt is slow, and almost all are right
		return
	}
	c.must(isRoot(p.Root), "form", "%s[%d]%s.root", list, i, inner)
	c.must(isExtension(p.Extension), "form", "%s[%d]%s.extension", list, i, inner)
}

// lookupRequest asks for persons.
type lookupRequest struct {
	Persons []Person `json:"persons"`
}

func decodeLookup(text []byte) ([]Person, *problem.Problem) {
	var request lookupRequest
	if p := decode(text, shape{names: []string{"persons", "root", "extension"}}, &request); p != nil {
		return nil, p
	}
	var c checks
	c.items("persons", len(request.Persons))
	for i, person := range request.Persons {
		c.person(person, "persons", i, "")
	}
	return request.Persons, c.problem()
}

// heldRequest tells what a caller holds.
type heldRequest struct {
	Held []Held `json:"held"`
}

func decodeHeld(text []byte) ([]Held, *problem.Problem) {
	var request heldRequest
	if p := decode(text, shape{names: []string{"held", "person", "version", "root", "extension"}}, &request); p != nil {
		return nil, p
	}
	var c checks
	c.items("held", len(request.Held))
	for i, h := range request.Held {
		c.person(h.Person, "held", i, ".person")
		if !isVersion(h.Version) {
			c.must(false, "form", "held[%d].version", i)
		}
	}
	return request.Held, c.problem()
}

// integer reads what JSON Schema takes for one: 16564.0 too.
type integer int64

var errNoInteger = errors.New("no integer")

// UnmarshalJSON implements json.Unmarshaler.
func (i *integer) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		const exact = 1 << 53 // beyond it a float64 may be another number than the one written
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
			return errNoInteger
		}
		n = int64(f)
	}
	*i = integer(n)
	return nil
}

// givenChange is a Change as it may be written.
type givenChange struct {
	Change
	Revision integer `json:"revision"`
}

// changeRequest is a bulk change.
type changeRequest struct {
	Changes []Change `json:"changes"`
}

func decodeChanges(text []byte) ([]Change, *problem.Problem) {
	changes, ok := plainChanges(text)
	if !ok {
		var wrong *problem.Problem
		if changes, wrong = decodeGivenChanges(text); wrong != nil {
			return nil, wrong
		}
	}
	var c checks
	c.items("changes", len(changes))
	for i, change := range changes {
		c.person(change.Person, "changes", i, ".person")
		if change.isFormal() {
			continue
		}
		c.must(change.Channel == Mobile || change.Channel == Email, "value", "changes[%d].channel", i)
		c.must(change.Decision == Share || change.Decision == Withdraw, "value", "changes[%d].decision", i)
		c.must(change.Revision >= 1, "value", "changes[%d].revision", i)
		c.must(change.EventID == "" || isEventID(change.EventID), "form", "changes[%d].eventId", i)
	}
	return changes, c.problem()
}

// isFormal tells whether all but the person and the value is as it must be.
func (c Change) isFormal() bool {
	return (c.Channel == Mobile || c.Channel == Email) && (c.Decision == Share || c.Decision == Withdraw) &&
		c.Revision >= 1 && (c.EventID == "" || isEventID(c.EventID))
}

// decodeGivenChanges reads a bulk change whatever it looks like.
func decodeGivenChanges(text []byte) ([]Change, *problem.Problem) {
	var request struct {
		Changes []givenChange `json:"changes"`
	}
	names := []string{"changes", "person", "root", "extension", "channel", "decision", "value", "notify", "revision", "eventId"}
	if p := decode(text, shape{names: names}, &request); p != nil {
		return nil, p
	}
	changes := make([]Change, len(request.Changes))
	for i, given := range request.Changes {
		changes[i] = given.Change
		changes[i].Revision = int64(given.Revision)
	}
	return changes, nil
}

// writeRequest is the body of PUT and PATCH.
type writeRequest struct {
	Mobile json.RawMessage `json:"mobile"`
	Email  json.RawMessage `json:"email"`
}

// decodeWrite reads the own details of a record. Whole: what is not given goes. Else it stays, and null makes it go.
func decodeWrite(text []byte, whole bool) (Write, *problem.Problem) {
	var request writeRequest
	s := shape{names: []string{"mobile", "email", "value", "notify"}, nulls: !whole}
	if p := decode(text, s, &request); p != nil {
		return Write{}, p
	}
	var w Write
	for _, part := range []struct {
		name    string
		raw     json.RawMessage
		setting *Setting
	}{{"mobile", request.Mobile, &w.Mobile}, {"email", request.Email, &w.Email}} {
		part.setting.Given = whole || part.raw != nil
		if part.raw == nil || string(part.raw) == "null" {
			continue
		}
		part.setting.Detail = &NewDetail{}
		if p := decode(part.raw, shape{names: []string{"value", "notify"}}, part.setting.Detail); p != nil {
			for i := range p.InvalidParameters {
				p.InvalidParameters[i].Property = part.name + "." + p.InvalidParameters[i].Property
			}
			return Write{}, p
		}
	}
	return w, nil
}
