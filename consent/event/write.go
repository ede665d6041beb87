package event

import (
	"encoding/json"
	"strconv"
	"time"
)

// Binary writes the decision as a record in binary CloudEvents mode: what a producer sends, under Key.
func (d Decision) Binary() (headers []Header, value []byte) {
	w := newWriter()
	w.identity("person", d.Person.Root(), d.Person.RevealExtension())
	w.text("channel", string(d.Channel))
	if d.Share {
		w.text("decision", "share")
		w.told("value", d.Value.Reveal())
		if d.Notify != nil {
			w.raw("notify", strconv.FormatBool(*d.Notify))
		}
	} else {
		w.text("decision", "withdraw")
	}
	w.number("revision", d.Revision)
	if !d.DecidedAt.IsZero() {
		w.time("decidedAt", d.DecidedAt)
	}
	d.Actor.write(&w)
	if d.Notice != (Notice{}) {
		w.open("notice")
		w.text("version", d.Notice.Version)
		w.told("language", d.Notice.Language)
		w.close()
	}
	w.told("reason", string(d.Reason))
	return binaryHeaders(d.EventID, TypeDecision, d.Source, d.Time), w.end()
}

// write leaves out the resident, and whoever is unknown.
func (a Actor) write(w *writer) {
	if a.Role == "" || a.Role == RoleResident {
		return
	}
	w.open("actor")
	w.text("role", string(a.Role))
	switch {
	case a.HSAID != "":
		w.identity("id", rootHSA, a.HSAID)
	case !a.ID.IsZero():
		w.identity("id", a.ID.Root(), a.ID.RevealExtension())
	}
	w.close()
}

// binaryHeaders gives the attributes as headers, without those that are not told.
func binaryHeaders(id, kind, source string, at time.Time) []Header {
	told := ""
	if !at.IsZero() {
		told = at.UTC().Format(time.RFC3339Nano)
	}
	attributes := [...]struct{ key, value string }{
		{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_type", kind}, {"ce_source", source}, {"ce_time", told},
		{"content-type", binaryType},
	}
	headers := make([]Header, 0, len(attributes))
	values := make([]byte, 0, 192) // of all headers
	for _, h := range attributes {
		if h.value != "" {
			start := len(values)
			values = append(values, h.value...)
			headers = append(headers, Header{h.key, values[start:len(values):len(values)]})
		}
	}
	return headers
}

// writer writes a JSON object member by member, in the order of the calls, on which readers must not rely. A property test holds
// it to encoding/json, which takes several times as long over the same bytes.
type writer struct{ out []byte }

func newWriter() writer { return writer{append(make([]byte, 0, 448), '{')} }

func (w *writer) end() []byte { return append(w.out, '}') }

func (w *writer) name(name string) {
	if w.out[len(w.out)-1] != '{' {
		w.out = append(w.out, ',')
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

func (w *writer) open(name string) {
	w.name(name)
	w.out = append(w.out, '{')
}

func (w *writer) close() { w.out = append(w.out, '}') }

func (w *writer) raw(name, value string) {
	w.name(name)
	w.out = append(w.out, value...)
}

func (w *writer) text(name, value string) {
	w.name(name)
	w.quote(value)
}

// told writes a text unless it is empty.
func (w *writer) told(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *writer) number(name string, n int64) {
	w.name(name)
	w.out = strconv.AppendInt(w.out, n, 10)
}

func (w *writer) identity(name, root, extension string) {
	w.open(name)
	w.text("root", root)
	w.text("extension", extension)
	w.close()
}

// time writes a time in UTC. A year beyond 9999 cannot be written, and the reader takes none: a fault of the program.
func (w *writer) time(name string, t time.Time) {
	w.name(name)
	out, err := t.UTC().AppendText(append(w.out, '"'))
	if err != nil {
		panic("event: " + err.Error())
	}
	w.out = append(out, '"')
}

// quote writes a text. What encoding/json would write otherwise than it stands there, is left to it.
func (w *writer) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			w.out = append(w.out, mustJSON(s)...)
			return
		}
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, s...)
	w.out = append(w.out, '"')
}

// identityJSON is an identity as encoding/json reads it.
type identityJSON struct {
	Root      string `json:"root"`
	Extension string `json:"extension"`
}

// mustJSON encodes a text, or in tests what the writer is held to: an error is a fault of this package.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("event: " + err.Error())
	}
	return text
}
