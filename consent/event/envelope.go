package event

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"strings"

	"contactsync/consent/reason"
)

// The content types of the two CloudEvents modes.
const (
	binaryType     = "application/json"
	structuredType = "application/cloudevents+json"
)

// envelope is a CloudEvent in either mode: its attributes and, still unread, its data.
type envelope struct {
	attributes map[string]string // by CloudEvents name; the first value where a header stands twice
	data       []byte
	repeated   reason.Code // not "": an attribute stands twice, as headers or as JSON names
	uncertain  bool        // the data themselves stand twice, and differ
	wrongType  bool        // the content type does not fit what the record is
}

// open tells the mode of a record by what it holds, not by its content type, which must not stop a withdrawal: structured
// is a body with data and without a person of its own (no attribute of a CloudEvent can be an object).
func open(headers []Header, value []byte) (envelope, bool) {
	e := fromHeaders(headers)
	body, ok := parseObject(value)
	if !ok {
		return envelope{}, false
	}
	if _, isDecision := body.object("person"); isDecision || !body.hasData() {
		e.data = value
		e.wrongType = !isJSON(e.attributes)
		return e, true
	}
	declared := mediaType(e.attributes["datacontenttype"]) == structuredType
	delete(e.attributes, "datacontenttype")
	e.unwrap(body)
	e.wrongType = e.wrongType || !declared
	return e, true
}

func fromHeaders(headers []Header) envelope {
	e := envelope{attributes: make(map[string]string, len(headers))}
	for _, h := range headers {
		name, ok := attributeOf(h.Key)
		if !ok {
			continue
		}
		if _, again := e.attributes[name]; again {
			e.repeated = reason.FormHeaderDuplicated
			continue
		}
		e.attributes[name] = string(h.Value)
	}
	return e
}

// attributeOf names the attribute that a header holds, if it holds one.
func attributeOf(key string) (string, bool) {
	if key == "content-type" {
		return "datacontenttype", true
	}
	return strings.CutPrefix(key, "ce_")
}

// unwrap reads a CloudEvent in JSON format. Its attributes count before headers of the same name.
func (e *envelope) unwrap(body object) {
	for name, raw := range body.fields {
		if value, ok := attributeText(raw); ok && !isData(name) {
			e.attributes[name] = value
		}
	}
	if body.ambiguous() {
		e.repeated = reason.FormJSON
	}
	e.uncertain = body.ambiguous("data", "data_base64")
	e.data = body.data()
	e.wrongType = !isJSON(e.attributes)
}

// attributeText gives an attribute as it would stand in a header. CloudEvents attributes are text, whole numbers or
// truth values; anything else is as good as absent.
func attributeText(raw json.RawMessage) (string, bool) {
	if value, ok := text(raw); ok {
		return value, true
	}
	composite := raw[0] == '{' || raw[0] == '['
	return string(raw), !composite && string(raw) != "null"
}

func isData(name string) bool { return name == "data" || name == "data_base64" }

func (o object) hasData() bool { return !o.absent("data") || !o.absent("data_base64") }

// data gives the payload of a CloudEvent in JSON format; what is not base64 is no payload.
func (o object) data() []byte {
	if encoded, ok := o.text("data_base64"); ok && o.absent("data") {
		decoded, _ := base64.StdEncoding.DecodeString(encoded)
		return decoded
	}
	return o.fields["data"]
}

// isJSON judges the type of the data; without one they are JSON.
func isJSON(attributes map[string]string) bool {
	declared, found := attributes["datacontenttype"]
	return !found || mediaType(declared) == binaryType
}

func mediaType(header string) string {
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return media
}
