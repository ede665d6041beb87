package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
	"contactsync/sync/plan"
)

// drawn is a decision that was drawn at random, and what must come of it.
type drawn struct {
	id      string
	key     place
	message stream.Message
	event   plan.Event  // what it means for the desired state; nothing if it is refused
	refused reason.Code // the outcome is parked for this reason
}

// place is one person's channel.
type place struct {
	person  contact.PersonID
	channel contact.Channel
}

// history is everything that was decided.
type history struct {
	random    *rand.Rand
	persons   []contact.PersonID
	decisions []drawn
}

// drawHistory draws n decisions over the persons. The same seed draws the same ones.
func drawHistory(seed uint64, n int, persons []mockregister.TestPerson) *history {
	h := &history{random: rand.New(rand.NewPCG(seed, 0))}
	for _, p := range persons {
		h.persons = append(h.persons, contact.KnownPersonID(p.Root, p.Extension))
	}
	for i := range n {
		h.decisions = append(h.decisions, h.draw(i))
	}
	return h
}

// draw makes a decision. Revisions come from a small range and e-services are few, so that they meet.
func (h *history) draw(i int) drawn {
	d := event.Decision{
		EventID:  fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", h.random.Uint32(), h.random.IntN(1<<16), h.random.IntN(1<<12), h.random.IntN(1<<12), i),
		Source:   fmt.Sprintf("urn:hsaid:SE2321000016-A%d", h.random.IntN(3)),
		Person:   h.persons[h.random.IntN(len(h.persons))],
		Channel:  contact.Channels[h.random.IntN(2)],
		Share:    h.random.IntN(10) < 6,
		Revision: 1 + h.random.Int64N(60), DecidedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		Reason: event.ReasonResident,
	}
	switch {
	case d.Share && d.Channel == contact.Mobile:
		d.Value = contact.KnownValue(fmt.Sprintf("+467017406%02d", 5+h.random.IntN(95)))
	case d.Share:
		d.Value = contact.KnownValue(fmt.Sprintf("resident%d@example.se", h.random.IntN(1000)))
	case h.random.IntN(4) == 0:
		d.Reason = event.ReasonAccountClosed
	}
	return h.spoil(d, i)
}

// spoil makes every twentieth decision one that is refused, each time in another way, and a few a guardian's.
func (h *history) spoil(d event.Decision, i int) drawn {
	out := drawn{id: d.EventID, key: place{d.Person, d.Channel}}
	if d.Share {
		out.event.Share = &plan.Share{Revision: d.Revision, EventID: d.EventID, Source: d.Source, Value: d.Value}
	} else {
		out.event.Withdrawal = &plan.Withdrawal{Revision: d.Revision, EventID: d.EventID, Source: d.Source, Scoped: d.Reason.Scoped()}
	}
	field, value := "", any(nil)
	if d.Share && i%20 == 0 {
		bad := []struct {
			field  string
			value  any
			reason reason.Code
		}{
			{"value", "", reason.ValueEmpty}, {"value", 5, reason.ValueNotText}, {"value", "a\x00b", reason.ValueControlCharacters},
			{"revision", int64(4102444800000000), reason.ClockAhead}, {"decidedAt", "yesterday", reason.FormDecidedAt},
			{"actor", map[string]any{"role": "support", "id": map[string]any{"root": "1.2.752.129.2.1.4.1", "extension": "SE2321000016-S1"}}, reason.ActorNotAllowed},
			{"person", map[string]any{"root": contact.RootPersonnummer, "extension": "197205179803"}, reason.FormIdentityCheckDigit},
		}[i/20%7]
		field, value, out.refused, out.event = bad.field, bad.value, bad.reason, plan.Event{}
	} else if d.Share && i%20 == 1 {
		d.Actor = event.Actor{Role: event.RoleGuardian, ID: contact.KnownPersonID(contact.RootPersonnummer, "198507099805")}
		out.event.Unconfirmed = true
	}
	out.message = message(d, field, value)
	return out
}

// message is the decision as its e-service sends it, with one field changed.
func message(d event.Decision, field string, value any) stream.Message {
	headers, body := d.Binary()
	if field != "" {
		var object map[string]any
		if err := json.Unmarshal(body, &object); err != nil {
			panic(err)
		}
		object[field] = value
		body, _ = json.Marshal(object)
	}
	m := stream.Message{Topic: event.TopicDecisions, Key: []byte(event.Key([]byte("e-service"), d.Person)), Value: body}
	for _, x := range headers {
		m.Headers = append(m.Headers, stream.Header(x))
	}
	return m
}

// unreadable records are strewn among the decisions.
const unreadable = 40

// sent is the history as it is produced: shuffled, and with a good part of it twice.
func (h *history) sent() []stream.Message {
	out := make([]stream.Message, 0, len(h.decisions)*3/2)
	for _, d := range h.decisions {
		out = append(out, d.message)
		if h.random.IntN(2) == 0 {
			out = append(out, d.message)
		}
	}
	for i := range unreadable {
		out = append(out, stream.Message{Topic: event.TopicDecisions, Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, `{"person":%d}`, i)})
	}
	h.random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// wanted is the pure function, plan.State.Want, over the whole history.
func (h *history) wanted() map[place]plan.Want {
	states := map[place]*plan.State{}
	for _, d := range h.decisions {
		if states[d.key] == nil {
			states[d.key] = &plan.State{}
		}
		if d.refused == "" {
			states[d.key].Apply(d.event)
		}
	}
	out := map[place]plan.Want{}
	for k, s := range states {
		out[k] = s.Want()
	}
	return out
}
