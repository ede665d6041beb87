package event

import (
	"encoding/json"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// Changed is the signal that a person's own contact detail in the register has changed. It holds none: the register stays the
// truth.
type Changed struct {
	ID     string // of the event itself: the same when the same signal is published again
	Source string // the register, as urn:hsaid:…

	Person  RawPerson
	Channel contact.Channel
	Version string    // of the person's record after the change
	Time    time.Time // of the change
}

type changedJSON struct {
	Person  identityJSON    `json:"person"`
	Channel contact.Channel `json:"channel"`
	Version string          `json:"version"`
	Time    time.Time       `json:"time"`
}

// Binary writes the signal as a record in binary CloudEvents mode.
func (c Changed) Binary() (headers []Header, value []byte) {
	w := newWriter()
	w.identity("person", c.Person.Root(), c.Person.RevealExtension())
	w.text("channel", string(c.Channel))
	w.text("version", c.Version)
	w.time("time", c.Time)
	return binaryHeaders(c.ID, TypeChanged, c.Source, c.Time), w.end()
}

// ReadChanged reads a record of TopicChanges, in either mode. The error is a reason.Refusal: FormType for another type or
// major, which a reader skips; FormJSON for what is no signal.
func ReadChanged(headers []Header, value []byte) (Changed, error) {
	var e envelope
	if !e.open(headers, value) {
		return Changed{}, reason.Refuse(reason.FormJSON)
	}
	if e.told("type") != TypeChanged {
		return Changed{}, &reason.Refusal{Field: "type", Code: reason.FormType}
	}
	var body changedJSON
	if json.Unmarshal([]byte(e.data), &body) != nil {
		return Changed{}, &reason.Refusal{Field: "data", Code: reason.FormJSON}
	}
	return Changed{ID: e.told("id"), Source: e.told("source"), Person: AsSent(body.Person.Root, body.Person.Extension),
		Channel: body.Channel, Version: body.Version, Time: body.Time}, nil
}
