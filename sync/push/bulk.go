package push

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
)

// Changes is a register contract that takes decisions of many persons in one call and fences them by their revisions: of two decisions
// on the same person and channel the older one never takes effect after the newer, whenever either arrives. Versions fence none of them, so
// a withdrawal is settled only when this contract has answered for it, on each record of the person: what is still on its way may be a share.
type Changes interface {
	// Change takes up to MostChanges decisions, and gives what became of each in their order. Its error is an *Error; any other counts
	// as Unknown.
	Change(ctx context.Context, wanted []Wanted) ([]Changed, error)
}

// MostChanges is how many decisions one call carries.
const MostChanges = 1000

// bulks is how many such calls may be under way at once: while the register works on one, the next one is claimed.
const bulks = 3

// Wanted is a decision on its way.
type Wanted struct {
	Person contact.PersonID
	Target plan.Target
}

// Changed is what became of a decision. The zero value: the register stood at it already, or at a newer one.
type Changed struct {
	Applied bool
	Refused reason.Code // why; empty: it was not
	Effects []reason.Code
	Version string // of the record, where it was applied
}

// bulk carries out many claims by one call, and those by themselves that this does not bring to an end.
func (p *Pusher) bulk(ctx context.Context, claims []Claim, urgent bool) {
	calling, cancel := context.WithDeadline(ctx, claims[0].Expires)
	attempts := p.change(calling, claims)
	cancel()
	for range claims {
		p.ended <- struct{}{}
	}
	p.leave(len(claims), urgent) // together, so that the next claim finds room for as many
	var ending sync.WaitGroup
	var ended []Ended
	for _, a := range attempts {
		if a.alone == nil {
			ended = append(ended, Ended{a.claim, a.result})
			continue
		}
		ending.Go(func() {
			p.end(ctx, a)
			<-p.ended
		})
	}
	if len(ended) > 0 {
		p.finish(ctx, ended)
	}
	for range ended {
		<-p.ended
	}
	ending.Wait()
}

// change makes the call. Who comes back with targets is to be attempted by itself.
func (p *Pusher) change(ctx context.Context, claims []Claim) []*attempt {
	attempts := make([]*attempt, len(claims))
	var wanted []Wanted
	for i, c := range claims {
		attempts[i] = &attempt{Pusher: p, claim: c}
		wanted = append(wanted, wantedOf(c)...)
	}
	first := attempts[0]
	if len(wanted) == 0 {
		for _, a := range attempts {
			a.take(nil)
		}
		return attempts
	}
	if first.claim.Expires.Sub(p.now()) < p.cfg.CallTimeout {
		for _, a := range attempts {
			a.leave(nil)
		}
		return attempts
	}
	var changed []Changed
	var err error
	_, vote := p.breaker.Execute(func() (Result, error) {
		_, err = first.call(ctx, func(ctx context.Context) (_ Reading, err error) {
			changed, err = p.changeAll(ctx, wanted)
			return nil, err
		})
		return Result{}, first.failed
	})
	if errors.Is(vote, gobreaker.ErrOpenState) || errors.Is(vote, gobreaker.ErrTooManyRequests) {
		err = vote
	}
	for _, a := range attempts {
		if err != nil {
			a.leave(err)
			continue
		}
		a.take(changed[:len(a.claim.Targets)])
		changed = changed[len(wantedOf(a.claim)):]
	}
	return attempts
}

// wantedOf is what a claim asks for: its targets, and its withdrawals from the records of the person's other numbers.
func wantedOf(c Claim) (wanted []Wanted) {
	for _, t := range c.Targets {
		wanted = append(wanted, Wanted{c.Person, t})
	}
	for _, l := range c.Linked {
		for _, t := range c.Targets {
			if t.Want.Kind == plan.Withdrawn {
				wanted = append(wanted, Wanted{l.Person, t})
			}
		}
	}
	return wanted
}

// changeAll makes as many calls as are needed: two channels a person may be more than one carries.
func (p *Pusher) changeAll(ctx context.Context, wanted []Wanted) (changed []Changed, err error) {
	for some := range slices.Chunk(wanted, MostChanges) {
		got, err := p.cfg.Changes.Change(ctx, some)
		if err != nil {
			return nil, err
		}
		changed = append(changed, got...)
	}
	return changed, nil
}

// leave gives the claim back after a call that failed as a whole, or, if it was refused as a whole, leaves it to an attempt by itself.
func (a *attempt) leave(err error) {
	e, ok := errors.AsType[*Error](err)
	switch {
	case ok && (e.Class == Refused || e.Class == Stale):
		a.alone, a.unanswered = a.claim.Targets, true
		return
	case errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests):
		a.result = Result{RetryIn: breakerTimeout, Untried: true, Unsure: a.claim.Unsure}
		return
	case err != nil && (!ok || e.Class == Unknown):
		a.claim.Unsure = true
	}
	var asked time.Duration
	if ok {
		asked = e.RetryAfter
	}
	a.later(asked)
	a.result.Unsure = a.claim.Unsure
}

// take settles what the register took. An attempt by itself has to look where it says no more than that it stood there before: the
// record may have been changed since by other means. Where the person has other numbers it has to look at everything, and so it has
// where an earlier write may still land, unless this one was applied: then the record has another version.
func (a *attempt) take(changed []Changed) {
	burnt := slices.ContainsFunc(changed, func(c Changed) bool { return c.Applied })
	if a.claim.Unsure && !burnt || len(a.claim.Linked) > 0 {
		a.alone = append([]plan.Target{}, a.claim.Targets...) // not nil, even if there is none: the version is to be burnt
		return
	}
	for i, t := range a.claim.Targets {
		switch c := changed[i]; {
		case c.Applied:
			a.result.Settled = append(a.result.Settled, Settled{Target: t, Outcome: event.Pushed, Effects: c.Effects, Version: c.Version})
			a.result.Written = Written{Version: c.Version, At: a.now()}
		case c.Refused != "":
			a.park([]plan.Target{t}, c.Refused)
		default:
			a.alone = append(a.alone, t)
		}
	}
	if a.result.Written.Version != "" {
		a.claim.Written = a.result.Written
	}
}

// end attempts what is left of a claim, and records what came of all of it.
func (p *Pusher) end(ctx context.Context, a *attempt) {
	p.alone <- struct{}{}
	got := p.rest(ctx, a)
	<-p.alone
	if a.unanswered {
		got = a.unsettled(got)
	}
	got.Settled, got.Parked = append(a.result.Settled, got.Settled...), append(a.result.Parked, got.Parked...)
	if got.Written.Version == "" {
		got.Written = a.result.Written
	}
	p.finish(ctx, []Ended{{a.claim, got}})
}

// unsettled takes back that withdrawals are settled. They have been carried out, as far as possible.
func (a *attempt) unsettled(r Result) Result {
	r.Settled = slices.DeleteFunc(r.Settled, func(s Settled) bool {
		withdrawn := s.Target.Want.Kind == plan.Withdrawn
		if withdrawn {
			r.RetryIn = max(r.RetryIn, a.backoff())
		}
		return withdrawn
	})
	return r
}

func (p *Pusher) rest(ctx context.Context, a *attempt) Result {
	ctx, cancel := context.WithDeadline(ctx, a.claim.Expires)
	defer cancel()
	c := a.claim
	c.Targets = a.alone
	return p.attempt(ctx, c)
}
