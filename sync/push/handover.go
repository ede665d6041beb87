package push

import (
	"context"

	"github.com/sony/gobreaker/v2"
)

// Reserve takes up to n places for persons who are about to become due, and says how many: with a withdrawal due if urgent, else with shares
// only. A store that leases them as it puts them into the queue, and hands them over, spares them the wait for a claim, and PostgreSQL the claim.
// There are places only while nobody who is due has been left behind: who comes later does not go first, nor before those whom an outage has put
// off. Each reservation is to be followed by HandOver.
func (p *Pusher) Reserve(n int, urgent bool) int {
	keepsUp := p.caughtUp.Load() && !p.returned.Load() && p.breaker.State() == gobreaker.StateClosed
	if n == 0 || p.cfg.Changes != nil || !keepsUp || !urgent && !p.cfg.SharesAllowed() || !p.enter() {
		return 0
	}
	places := p.take(n, urgent)
	if places < n {
		p.caughtUp.Store(false)
	}
	if places == 0 {
		p.working.Done()
	}
	return places
}

// HandOver carries out the claims that places were reserved for, and gives back the places that are left.
func (p *Pusher) HandOver(ctx context.Context, places int, urgent bool, claims []Claim) {
	if places == 0 {
		return
	}
	defer p.working.Done()
	p.giveBack(places-len(claims), urgent)
	p.begin(ctx, claims, urgent)
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
