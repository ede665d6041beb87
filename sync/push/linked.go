package push

import (
	"context"
	"slices"

	"contactsync/consent/event"
	"contactsync/sync/plan"
)

// everywhere carries the claim out on the person's own record, and its withdrawals on those of the person's other numbers. Each
// record is read and written by itself; a withdrawal is settled when all of them show it.
func (a *attempt) everywhere(ctx context.Context) Result {
	own := a.claim
	result := a.run(ctx)
	for _, l := range own.Linked {
		other := a.on(own, l)
		got := other.run(ctx)
		a.called = a.called || other.called
		if other.failed != nil {
			a.failed = other.failed
		}
		result = joined(result, got, other.claim)
	}
	return result
}

// on is the claim's part that concerns the record of another number.
func (a *attempt) on(c Claim, l Linked) *attempt {
	c.ID, c.Person, c.Unsure, c.Written, c.Linked = l.ID, l.Person, l.Unsure, l.Written, nil
	c.Targets = slices.DeleteFunc(slices.Clone(c.Targets), func(t plan.Target) bool { return t.Want.Kind != plan.Withdrawn })
	return &attempt{Pusher: a.Pusher, claim: c, linked: true}
}

// joined is what came of a claim on two records: a withdrawal has come no further than on the one where it has come least far.
func joined(all, other Result, c Claim) Result {
	all.Linked = append(all.Linked, RecordResult{ID: c.ID, Unsure: other.Unsure, Written: other.Written})
	all.RetryIn = max(all.RetryIn, other.RetryIn)
	for _, p := range other.Parked {
		if i := slices.IndexFunc(all.Settled, func(s Settled) bool { return s.Target.Channel == p.Target.Channel }); i >= 0 {
			all.Parked = append(all.Parked, p)
		}
	}
	var settled []Settled
	for _, s := range all.Settled {
		i := slices.IndexFunc(other.Settled, func(o Settled) bool { return o.Target.Channel == s.Target.Channel })
		switch {
		case s.Target.Want.Kind != plan.Withdrawn:
			settled = append(settled, s)
		case i >= 0:
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
