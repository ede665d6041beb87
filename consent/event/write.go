package event

import (
	"encoding/json"
	"time"

	"contactsync/consent/contact"
)

// The JSON of contract v1, in the order in which it is written. Readers must not rely on the order.
type (
	decisionJSON struct {
		Person    identityJSON    `json:"person"`
		Channel   contact.Channel `json:"channel"`
		Decision  string          `json:"decision"`
		Value     string          `json:"value,omitempty"`
		Notify    *bool           `json:"notify,omitempty"`
		Revision  int64           `json:"revision"`
		DecidedAt time.Time       `json:"decidedAt,omitzero"`
		Actor     *actorJSON      `json:"actor,omitempty"`
		Notice    Notice          `json:"notice,omitzero"`
		Reason    WithdrawReason  `json:"reason,omitempty"`
	}
	identityJSON struct {
		Root      string `json:"root"`
		Extension string `json:"extension"`
	}
	actorJSON struct {
		Role Role          `json:"role"`
		ID   *identityJSON `json:"id,omitempty"`
	}
)

// Binary writes the decision as a record in binary CloudEvents mode: what a producer sends, under Key.
func (d Decision) Binary() (headers []Header, value []byte) {
	body := decisionJSON{
		Person:    identityJSON{d.Person.Root(), d.Person.RevealExtension()},
		Channel:   d.Channel,
		Decision:  "withdraw",
		Revision:  d.Revision,
		DecidedAt: d.DecidedAt.UTC(),
		Actor:     d.Actor.json(),
		Notice:    d.Notice,
		Reason:    d.Reason,
	}
	if d.Share {
		body.Decision, body.Value, body.Notify = "share", d.Value.Reveal(), d.Notify
	}
	return binaryHeaders(d.EventID, TypeDecision, d.Source, d.Time), mustJSON(body)
}

// json leaves out the resident, and whoever is unknown.
func (a Actor) json() *actorJSON {
	out := &actorJSON{Role: a.Role}
	switch {
	case a.Role == "" || a.Role == RoleResident:
		return nil
	case a.HSAID != "":
		out.ID = &identityJSON{rootHSA, a.HSAID}
	case !a.ID.IsZero():
		out.ID = &identityJSON{a.ID.Root(), a.ID.RevealExtension()}
	}
	return out
}

// binaryHeaders gives the attributes as headers, without those that are not told.
func binaryHeaders(id, kind, source string, at time.Time) []Header {
	told := ""
	if !at.IsZero() {
		told = at.UTC().Format(time.RFC3339Nano)
	}
	var headers []Header
	for _, h := range [...]struct{ key, value string }{
		{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_type", kind}, {"ce_source", source}, {"ce_time", told},
		{"content-type", binaryType},
	} {
		if h.value != "" {
			headers = append(headers, Header{h.key, []byte(h.value)})
		}
	}
	return headers
}

// mustJSON encodes our own structs of text, numbers and times: an error is a fault of this package. A year beyond 9999 is
// the one value that could fail, and the reader takes none.
func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("event: " + err.Error())
	}
	return text
}
