package event

import (
	"encoding/base64"
	"mime"
	"strings"

	"contactsync/consent/reason"
)

// The content types of the two CloudEvents modes.
const (
	binaryType     = "application/json"
	structuredType = "application/cloudevents+json"
)

// envelope is a CloudEvent in either mode: its attributes and, not yet judged, its data.
type envelope struct {
	attributes named[string] // by CloudEvents name; the first value where a header stands twice
	data       string
	body       object      // the data taken apart
	isObject   bool        // so they could be
	repeated   reason.Code // not "": an attribute stands twice, as headers or as JSON names
	uncertain  bool        // the data themselves stand twice, and differ
	wrongType  bool        // the content type does not fit what the record is
}

// open tells the mode of a record by what it holds, not by its content type, which must not stop a withdrawal: structured
// is a body with data and without a person of its own (no attribute of a CloudEvent can be an object).
func (e *envelope) open(headers []Header, value []byte) bool {
	e.fromHeaders(headers)
	e.data = string(value)
	if e.isObject = e.body.parse(e.data); !e.isObject {
		return false
	}
	if !e.body.hasData() || e.body.isObject("person") {
		e.wrongType = !e.isJSON()
		return true
	}
	declared := mediaType(e.told("datacontenttype")) == structuredType
	e.attributes.drop("datacontenttype")
	e.unwrap(e.body)
	e.wrongType = e.wrongType || !declared
	return true
}

func (e *envelope) fromHeaders(headers []Header) {
	size := 0
	for _, h := range headers {
		size += len(h.Value)
	}
	var values strings.Builder // one text for all of them, which costs less than one for each
	values.Grow(size)
	for _, h := range headers {
		values.Write(h.Value)
	}
	rest := values.String()
	for _, h := range headers {
		value := rest[:len(h.Value)]
		rest = rest[len(value):]
		name, ok := attributeOf(h.Key)
		switch {
		case !ok:
		case e.attributes.find(name) != nil:
			e.repeated = reason.FormHeaderDuplicated
		default:
			e.attributes.put(name, value)
		}
	}
}

// attributeOf names the attribute that a header holds, if it holds one.
func attributeOf(key string) (string, bool) {
	if key == "content-type" {
		return "datacontenttype", true
	}
	return strings.CutPrefix(key, "ce_")
}

// unwrap reads a CloudEvent in JSON format. Its attributes count before headers of the same name.
func (e *envelope) unwrap(event object) {
	event.every(func(name string, m *member) bool {
		if value, ok := attributeText(m.raw); ok && !isData(name) {
			e.attributes.set(name, value)
		}
		return true
	})
	if event.doubtful {
		e.repeated = reason.FormJSON
	}
	e.uncertain = event.ambiguous("data", "data_base64")
	e.data, e.body = event.data(), object{}
	e.isObject = e.body.parse(e.data)
	e.wrongType = !e.isJSON()
}

// told is the text of an attribute; empty if it is missing.
func (e *envelope) told(name string) string {
	if text := e.attributes.find(name); text != nil {
		return *text
	}
	return ""
}

// attributeText gives an attribute as it would stand in a header. CloudEvents attributes are text, whole numbers or
// truth values; anything else is as good as absent.
func attributeText(raw string) (string, bool) {
	if value, ok := text(raw); ok {
		return value, true
	}
	composite := raw[0] == '{' || raw[0] == '['
	return raw, !composite && raw != "null"
}

func isData(name string) bool { return name == "data" || name == "data_base64" }

func (o *object) hasData() bool { return !o.absent("data") || !o.absent("data_base64") }

// data gives the payload of a CloudEvent in JSON format; what is not base64 is no payload.
func (o *object) data() string {
	if encoded, ok := o.text("data_base64"); ok && o.absent("data") {
		decoded, _ := base64.StdEncoding.DecodeString(encoded)
		return string(decoded)
	}
	return o.raw("data")
}

// isJSON judges the type of the data; without one they are JSON.
func (e *envelope) isJSON() bool {
	declared := e.attributes.find("datacontenttype")
	return declared == nil || mediaType(*declared) == binaryType
}

func mediaType(header string) string {
	if header == binaryType || header == structuredType {
		return header // what nearly everybody writes
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return media
}
