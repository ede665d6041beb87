package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
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
	size      int // of decisions
	persons   []contact.PersonID
	decisions []drawn
}

// drawHistory draws n decisions over the persons. The same seed draws the same ones.
func drawHistory(seed uint64, n int, persons []mockregister.TestPerson) *history {
	h := &history{random: rand.New(rand.NewPCG(seed, 0)), size: n}
	for _, p := range persons {
		h.persons = append(h.persons, contact.KnownPersonID(p.Root, p.Extension))
	}
	for i := range n {
		h.decisions = append(h.decisions, h.draw(i))
	}
	return h
}

const (
	hot   = 20 // persons at a time who decide again and again, so that a decision comes while the one before is being pushed
	noise = 60 // by so much revisions go up and down while they grow, so that decisions arrive out of order, and equal ones meet
)

// draw makes a decision. E-services are few, so that they meet too.
func (h *history) draw(i int) drawn {
	person := h.persons[h.random.IntN(len(h.persons))]
	if h.random.IntN(10) > 0 { // then others have their turn, and what was done wrong to these is not put right by their next decision
		turn := i * len(h.persons) / (h.size * hot)
		person = h.persons[(turn*hot+h.random.IntN(hot))%len(h.persons)]
	}
	d := event.Decision{
		EventID:  fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", h.random.Uint32(), h.random.IntN(1<<16), h.random.IntN(1<<12), h.random.IntN(1<<12), i),
		Source:   fmt.Sprintf("urn:hsaid:SE2321000016-A%d", h.random.IntN(3)),
		Person:   person,
		Channel:  contact.Channels[h.random.IntN(2)],
		Share:    h.random.IntN(10) < 6,
		Revision: 1 + int64(i/20) + h.random.Int64N(noise), DecidedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
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
		out.refused, out.event = reason.GuardianNotAllowed, plan.Event{} // for everybody here is grown up
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

// sent is the history as it is produced: shuffled within a few hundred decisions, and a good part of it twice, the second time
// now and then much later.
func (h *history) sent() []stream.Message {
	type placed struct {
		at int
		stream.Message
	}
	var all []placed
	put := func(i int, m stream.Message) { all = append(all, placed{i + h.random.IntN(300), m}) }
	for i, d := range h.decisions {
		put(i, d.message)
		switch h.random.IntN(6) {
		case 0, 1:
			put(i, d.message)
		case 2:
			put(i+h.random.IntN(len(h.decisions)), d.message)
		}
	}
	for i := range unreadable {
		put(i*len(h.decisions)/unreadable, stream.Message{Topic: event.TopicDecisions, Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, `{"person":%d}`, i)})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return a.at - b.at })
	out := make([]stream.Message, len(all))
	for i, p := range all {
		out[i] = p.Message
	}
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
