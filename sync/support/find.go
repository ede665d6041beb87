package support

import (
	"context"
	"fmt"
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/plan"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

// Report is all there is to tell about a person. Its values are whole or masked, as Whole says: none that was masked is in it.
type Report struct {
	Person   contact.PersonID
	Register Answer
	Channels []Channel
	Others   []register.Other // entries of other parties that belong to no channel
	Outcomes []consentpg.Told // the last ones, the newest first
}

// Answer is what came of asking the register.
type Answer struct {
	Answered  bool   // false: it cannot be asked just now
	Known     bool   // it has a record under the number that was asked about
	Protected bool   // by the record of any of the person's numbers
	Untold    bool   // it does not tell of another number of the person
	Version   string // of the record
}

// Whole tells whether values may be shown whole: only if the register has said that the person is not protected.
func (a Answer) Whole() bool { return a.Known && !a.Protected && !a.Untold }

// Channel is one way of contact of a person.
type Channel struct {
	Channel contact.Channel
	State   State
	// Here is the newest decision that was made in our own portal or by support; nil: none.
	Here *consentpg.Choice
	// Wanted is the decision that counts; nil: none does. Share and Withdrawal are the newest of each, Scoped those of
	// accounts that were closed, Waiting the shares of guardians that are not confirmed.
	Wanted, Share, Withdrawal *Decision
	Scoped, Waiting           []Decision
	Due                       *syncpg.Due      // nil: nothing is left to do
	Own                       []plan.Entry     // what the register holds as the resident's own
	Others                    []register.Other // what it holds from other parties
}

// Decision is one that came through Kafka.
type Decision struct {
	Share    bool
	Value    contact.Value // zero: of a withdrawal, or of a share that a newer decision has replaced
	Revision int64
	EventID  string
	Source   string    // the e-service, as urn:hsaid:…
	At       time.Time // when it was decided; of a withdrawal what its revision says
}

// told is how many outcomes a report has.
const told = 10

// Find tells all about a person.
func (d *Desk) Find(ctx context.Context, p contact.PersonID, actor event.Actor) (Report, error) {
	r, err := d.look(ctx, p)
	found := "nothing found"
	if r.any() {
		found = "found"
	}
	if err := d.audited(ctx, consentpg.Act{Person: p, Actor: actor, Action: "support find", Outcome: found}, err); err != nil {
		return Report{}, err
	}
	return r.forEyes(), nil
}

// look gathers a report with whole values. A register that does not answer leaves its part empty: the rest is worth telling.
func (d *Desk) look(ctx context.Context, p contact.PersonID) (Report, error) {
	choices, err := d.Consent.Choices(ctx, p)
	if err != nil {
		return Report{}, err
	}
	outcomes, err := d.Consent.Outcomes(ctx, p, told)
	if err != nil {
		return Report{}, fmt.Errorf("read outcomes: %w", err)
	}
	explained, err := d.Sync.Explain(ctx, p)
	if err != nil {
		return Report{}, err
	}
	r := Report{Person: p, Outcomes: outcomes}
	held, answer := d.ask(ctx, p, explained.Others)
	r.Register, r.Others = answer, othersOf(held, "")
	for _, channel := range contact.Channels {
		c := channelOf(channel, explained, held)
		if choice := choices[channel]; choice.EventID != "" {
			c.Here = &choice
		}
		c.State = stateOf(c.Here, explained.States[channel], explained.Unproved[channel], newest(outcomes, channel))
		r.Channels = append(r.Channels, c)
	}
	return r, nil
}

// ask asks the register about a person. What is kept was decided under any of the person's numbers, and each of these may have a record of its own:
// values are whole only if none is protected.
func (d *Desk) ask(ctx context.Context, p contact.PersonID, others []contact.PersonID) (*register.Holding, Answer) {
	held, err := d.Register.Hold(ctx, p)
	a := Answer{Answered: err == nil}
	if held != nil {
		a.Known, a.Protected, a.Version = true, held.Protected, held.Version
	} else {
		held = &register.Holding{}
	}
	for _, other := range others {
		record, err := d.Register.Hold(ctx, other)
		a.Protected, a.Untold = a.Protected || record != nil && record.Protected, a.Untold || err != nil
	}
	return held, a
}

func channelOf(channel contact.Channel, e syncpg.Explanation, held *register.Holding) Channel {
	s := e.States[channel]
	c := Channel{Channel: channel, Own: held.Own[channel], Others: othersOf(held, channel)}
	if s.Share != nil {
		c.Share = shared(*s.Share)
	}
	if s.Withdrawal != nil {
		c.Withdrawal = withdrawn(*s.Withdrawal)
	}
	for _, w := range s.Scoped {
		c.Scoped = append(c.Scoped, *withdrawn(w))
	}
	for _, w := range s.Waiting {
		c.Waiting = append(c.Waiting, *shared(w))
	}
	switch w := s.Want(); w.Kind {
	case plan.Shared:
		c.Wanted = c.Share
	case plan.Withdrawn:
		c.Wanted = withdrawn(plan.Withdrawal{Revision: w.Revision, EventID: w.EventID, Source: w.Source})
	}
	if s.Due() {
		c.Due = e.Due
	}
	return c
}

func shared(s plan.Share) *Decision {
	return &Decision{Share: true, Value: s.Value, Revision: s.Revision, EventID: s.EventID, Source: s.Source, At: s.DecidedAt}
}

func withdrawn(w plan.Withdrawal) *Decision {
	return &Decision{Revision: w.Revision, EventID: w.EventID, Source: w.Source, At: time.UnixMicro(w.Revision)}
}

func othersOf(held *register.Holding, channel contact.Channel) (out []register.Other) {
	for _, o := range held.Others {
		if o.Channel == channel {
			out = append(out, o)
		}
	}
	return out
}

func newest(outcomes []consentpg.Told, channel contact.Channel) *consentpg.Told {
	for _, o := range outcomes {
		if o.Channel == channel {
			return &o
		}
	}
	return nil
}

// any tells whether anything at all is known of the person.
func (r Report) any() bool {
	known := r.Register.Known || len(r.Outcomes) > 0
	for _, c := range r.Channels {
		known = known || c.Here != nil || c.Share != nil || c.Withdrawal != nil || len(c.Scoped)+len(c.Waiting) > 0
	}
	return known
}
