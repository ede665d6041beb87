package event

import (
	"encoding/json"
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
	body := outcomeJSON{
		EventID:         o.EventID,
		Person:          identityJSON{o.Person.Root(), o.Person.RevealExtension()},
		Channel:         o.Channel,
		Revision:        o.Revision,
		Outcome:         o.Outcome,
		Reason:          o.Reason,
		Effects:         o.Effects,
		RegisterVersion: o.RegisterVersion,
		Sequence:        o.Sequence,
		Time:            o.Time.UTC(),
	}
	if o.ProvedAt != nil {
		proved := o.ProvedAt.UTC()
		body.ProvedAt = &proved
	}
	return binaryHeaders(o.ID, TypeOutcome, o.Source, o.Time), mustJSON(body)
}

// ReadOutcome reads a record of TopicOutcomes, in either mode. The error is a reason.Refusal: FormType for another type or
// major, which a reader skips; FormID or FormJSON for what is no outcome. Kinds and codes unknown to this version are kept.
func ReadOutcome(headers []Header, value []byte) (Outcome, error) {
	e, ok := open(headers, value)
	if !ok {
		return Outcome{}, reason.Refuse(reason.FormJSON)
	}
	if e.attributes["type"] != TypeOutcome {
		return Outcome{}, &reason.Refusal{Field: "type", Code: reason.FormType}
	}
	var body outcomeJSON
	if json.Unmarshal(e.data, &body) != nil {
		return Outcome{}, &reason.Refusal{Field: "data", Code: reason.FormJSON}
	}
	if body.EventID == "" {
		return Outcome{}, &reason.Refusal{Field: "data.eventId", Code: reason.FormID}
	}
	return Outcome{
		ID:              e.attributes["id"],
		Source:          e.attributes["source"],
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
