package push

import (
	"context"
	"slices"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/plan"
)

// everywhere carries the claim out on the person's own record, and removes from those of the person's other numbers what is
// withdrawn and what is now shared on the own one: a withdrawal before that share may have been overtaken by it. Each record is
// read and written by itself; a target is settled when all of them are as they should be.
func (a *attempt) everywhere(ctx context.Context) Result {
	own := a.claim
	result := a.run(ctx)
	for _, l := range own.Linked {
		other := a.on(own, l, result)
		got := other.run(ctx)
		a.called = a.called || other.called
		if other.failed != nil {
			a.failed = other.failed
		}
		result = joined(result, got, other.claim)
	}
	return result
}

// on is the claim's part that concerns the record of another number, after what came of the own one. A share that could not be put
// there removes nothing here.
func (a *attempt) on(c Claim, l Linked, own Result) *attempt {
	var targets []plan.Target
	for _, t := range c.Targets {
		switch {
		case t.Want.Kind == plan.Withdrawn:
			targets = append(targets, t)
		case settledOf(own, t.Channel) >= 0:
			targets = append(targets, plan.Target{Channel: t.Channel, Want: plan.Want{Kind: plan.Withdrawn}})
		}
	}
	c.ID, c.Person, c.Unsure, c.Written, c.Linked, c.Targets = l.ID, l.Person, l.Unsure, l.Written, nil, targets
	return &attempt{Pusher: a.Pusher, claim: c, linked: true}
}

// settledOf is where a result tells of a channel that is settled; negative: it does not.
func settledOf(r Result, c contact.Channel) int {
	return slices.IndexFunc(r.Settled, func(s Settled) bool { return s.Target.Channel == c })
}

// joined is what came of a claim on two records: a target has come no further than on the one where it has come least far. A share
// is not held up by a record that refuses to be cleared.
func joined(all, other Result, c Claim) Result {
	all.Linked = append(all.Linked, RecordResult{ID: c.ID, Unsure: other.Unsure, Written: other.Written})
	all.Untried = (all.RetryIn == 0 || all.Untried) && (other.RetryIn == 0 || other.Untried) && all.RetryIn+other.RetryIn > 0
	all.RetryIn = max(all.RetryIn, other.RetryIn)
	refused := map[contact.Channel]bool{}
	for _, p := range other.Parked {
		refused[p.Target.Channel] = true
		if i := settledOf(all, p.Target.Channel); i >= 0 && all.Settled[i].Target.Want.Kind == plan.Withdrawn {
			all.Parked = append(all.Parked, p)
		}
	}
	var settled []Settled
	for _, s := range all.Settled {
		i, shared := settledOf(other, s.Target.Channel), s.Target.Want.Kind == plan.Shared
		switch {
		case shared && (i >= 0 || refused[s.Target.Channel]):
			settled = append(settled, s)
		case !shared && i >= 0:
			settled = append(settled, both(s, other.Settled[i]))
		}
	}
	all.Settled = settled
	return all
}

func both(s, other Settled) Settled {
	if other.Outcome == event.Pushed {
		if s.Outcome != event.Pushed {
			s.Outcome, s.Reason, s.Version = other.Outcome, other.Reason, other.Version
		}
		for _, e := range other.Effects {
			if !slices.Contains(s.Effects, e) {
				s.Effects = append(s.Effects, e)
			}
		}
		return s
	}
	if s.Outcome == event.Unchanged && other.Reason == "" {
		s.Reason = "" // one of the records is known
	}
	return s
}
