package event

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
)

// OutcomeKind is how a decision ended, or where it stands.
type OutcomeKind string

// The kinds of outcomes.
const (
	Pushed     OutcomeKind = "pushed"     // the register was changed
	Unchanged  OutcomeKind = "unchanged"  // the register was so already
	Superseded OutcomeKind = "superseded" // a newer decision, or another rule of the desired state, took its place
	Parked     OutcomeKind = "parked"     // refused, or cannot be pushed now: Reason says why
)

// Outcome is what became of one decision. There is at least one for every decision, and never a contact value in it.
type Outcome struct {
	ID     string // of the outcome event itself: the same when the same outcome is published again
	Source string // who says so, as urn:hsaid:…

	EventID  string // of the decision
	Person   RawPerson
	Channel  contact.Channel // empty if the decision's could not be read
	Revision int64           // 0 if the decision's could not be read

	Outcome         OutcomeKind
	Reason          reason.Code   // why not; empty for pushed, and for unchanged unless there is more to say
	Effects         []reason.Code // what else changed in the register
	RegisterVersion string        // of the person's record after the push; empty if the register was not asked
	Sequence        int64         // grows per person and channel: of two outcomes the higher is the later
	Time            time.Time
	ProvedAt        *time.Time // when a withdrawn detail was seen to be gone; nil if not, or not yet
}

type outcomeJSON struct {
	EventID         string          `json:"eventId"`
	Person          identityJSON    `json:"person"`
	Channel         contact.Channel `json:"channel,omitempty"`
	Revision        int64           `json:"revision,omitempty"`
	Outcome         OutcomeKind     `json:"outcome"`
	Reason          reason.Code     `json:"reason,omitempty"`
	Effects         []reason.Code   `json:"effects,omitempty"`
	RegisterVersion string          `json:"registerVersion,omitempty"`
	Sequence        int64           `json:"sequence"`
	Time            time.Time       `json:"time"`
	ProvedAt        *time.Time      `json:"provedAt,omitempty"`
}

// Binary writes the outcome as a record in binary CloudEvents mode.
func (o Outcome) Binary() (headers []Header, value []byte) {
	w := newWriter()
	w.text("eventId", o.EventID)
	w.identity("person", o.Person.Root(), o.Person.RevealExtension())
	w.told("channel", string(o.Channel))
	if o.Revision != 0 {
		w.number("revision", o.Revision)
	}
	w.text("outcome", string(o.Outcome))
	w.told("reason", string(o.Reason))
	if len(o.Effects) > 0 {
		w.name("effects")
		for i, effect := range o.Effects {
			w.out = append(w.out, "[,"[min(i, 1)])
			w.quote(string(effect))
		}
		w.out = append(w.out, ']')
	}
	w.told("registerVersion", o.RegisterVersion)
	w.number("sequence", o.Sequence)
	w.time("time", o.Time)
	if o.ProvedAt != nil {
		w.time("provedAt", *o.ProvedAt)
	}
	return binaryHeaders(o.ID, TypeOutcome, o.Source, o.Time), w.end()
}

// ReadOutcome reads a record of TopicOutcomes, in either mode. The error is a reason.Refusal: FormType for another type or
// major, which a reader skips; FormID or FormJSON for what is no outcome. Kinds and codes unknown to this version are kept.
func ReadOutcome(headers []Header, value []byte) (Outcome, error) {
	var e envelope
	if !e.open(headers, value) {
		return Outcome{}, reason.Refuse(reason.FormJSON)
	}
	if e.told("type") != TypeOutcome {
		return Outcome{}, &reason.Refusal{Field: "type", Code: reason.FormType}
	}
	body, ok := e.plainOutcome()
	if !ok && json.Unmarshal([]byte(e.data), body) != nil {
		return Outcome{}, &reason.Refusal{Field: "data", Code: reason.FormJSON}
	}
	if body.EventID == "" {
		return Outcome{}, &reason.Refusal{Field: "data.eventId", Code: reason.FormID}
	}
	return Outcome{
		ID:              e.told("id"),
		Source:          e.told("source"),
		EventID:         body.EventID,
		Person:          AsSent(body.Person.Root, body.Person.Extension),
		Channel:         body.Channel,
		Revision:        body.Revision,
		Outcome:         body.Outcome,
		Reason:          body.Reason,
		Effects:         body.Effects,
		RegisterVersion: body.RegisterVersion,
		Sequence:        body.Sequence,
		Time:            body.Time,
		ProvedAt:        body.ProvedAt,
	}, nil
}

// plainOutcome knows at sight what Binary writes: encoding/json takes several times as long to say the same, and a test
// holds the two together. False says nothing about the data.
func (e *envelope) plainOutcome() (o *outcomeJSON, ok bool) {
	o = &outcomeJSON{}
	if !e.isObject || e.body.doubtful || strings.HasPrefix(e.data, byteOrderMark) {
		return o, false
	}
	if e.body.every(func(name string, m *member) bool { return o.set(name, m.raw) }) {
		return o, true
	}
	return &outcomeJSON{}, false
}

// set reads a member; false for what is not written as Binary writes it, be it only a name that encoding/json would match though
// its case differs.
func (o *outcomeJSON) set(name, raw string) (ok bool) {
	switch name {
	case "eventId":
		o.EventID, ok = text(raw)
	case "person":
		o.Person, ok = plainIdentity(raw)
	case "channel":
		o.Channel, ok = textOf[contact.Channel](raw)
	case "revision":
		o.Revision, ok = wholeNumber(raw)
	case "outcome":
		o.Outcome, ok = textOf[OutcomeKind](raw)
	case "reason":
		o.Reason, ok = textOf[reason.Code](raw)
	case "effects":
		o.Effects, ok = listOf[reason.Code](raw)
	case "registerVersion":
		o.RegisterVersion, ok = text(raw)
	case "sequence":
		o.Sequence, ok = wholeNumber(raw)
	case "time":
		ok = o.Time.UnmarshalJSON([]byte(raw)) == nil
	case "provedAt":
		o.ProvedAt = new(time.Time)
		ok = raw != "null" && o.ProvedAt.UnmarshalJSON([]byte(raw)) == nil
	}
	return ok
}

func plainIdentity(raw string) (id identityJSON, ok bool) {
	var person object
	if !person.parse(raw) || person.doubtful {
		return identityJSON{}, false
	}
	ok = person.every(func(name string, m *member) (ok bool) {
		switch name {
		case "root":
			id.Root, ok = text(m.raw)
		case "extension":
			id.Extension, ok = text(m.raw)
		}
		return ok
	})
	return id, ok
}

func listOf[T ~string](raw string) (list []T, ok bool) {
	err := json.Unmarshal([]byte(raw), &list)
	return list, err == nil
}

func textOf[T ~string](raw string) (T, bool) {
	s, ok := text(raw)
	return T(s), ok
}

func wholeNumber(raw string) (int64, bool) {
	n, err := strconv.ParseInt(raw, 10, 64)
	return n, err == nil
}
