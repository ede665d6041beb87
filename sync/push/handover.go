package push

import (
	"context"

	"github.com/sony/gobreaker/v2"

	"contactsync/consent/contact"
)

// Reservation is places for persons who are about to become due, the first of those it was asked for.
type Reservation struct {
	Places  int
	urgent  bool
	persons []contact.PersonID
	read    <-chan struct{} // closed when their records have been read, or could not be; nil: they are not
}

// Reserve takes places for persons who are about to become due: with a withdrawal due if urgent, else with shares only. A store that leases them
// as it puts them into the queue, and hands them over, spares them the wait for a claim, and PostgreSQL the claim. Their records are read meanwhile.
// There are places only while nobody who is due has been left behind: who comes later does not go first, nor before those whom an outage has put
// off. Each reservation is to be followed by HandOver.
func (p *Pusher) Reserve(ctx context.Context, persons []contact.PersonID, urgent bool) Reservation {
	r := Reservation{urgent: urgent}
	keepsUp := p.caughtUp.Load() && !p.returned.Load() && p.breaker.State() == gobreaker.StateClosed
	if len(persons) == 0 || p.cfg.Changes != nil || !keepsUp || !urgent && !p.cfg.SharesAllowed() || !p.enter() {
		return r
	}
	r.Places = p.take(len(persons), urgent)
	if r.Places < len(persons) {
		p.caughtUp.Store(false)
	}
	if r.Places == 0 {
		p.working.Done()
		return r
	}
	r.persons = persons[:r.Places]
	r.read = p.foresee(withRank(context.WithoutCancel(ctx), urgent), r.persons)
	return r
}

// HandOver carries out the claims that places were reserved for, and gives back the places that are left.
func (p *Pusher) HandOver(ctx context.Context, r Reservation, claims []Claim) {
	if r.Places == 0 {
		return
	}
	defer p.working.Done()
	p.giveBack(r.Places-len(claims), r.urgent)
	p.begin(ctx, claims, r.urgent, r.read)
	if r.read != nil && len(claims) < r.Places {
		p.working.Go(func() {
			<-r.read
			p.ahead.forget(r.persons, claims)
		})
	}
}

// enter keeps Run from returning, and tells whether it has begun and is not about to.
func (p *Pusher) enter() bool {
	p.placing.Lock()
	defer p.placing.Unlock()
	if p.running {
		p.working.Add(1)
	}
	return p.running
}
