package push

import (
	"context"
	"time"

	"contactsync/consent/contact"
)

// Round does one round and waits for its claims, so that tests need not wait for the poll. It returns how many there were.
func (p *Pusher) Round(ctx context.Context) int {
	n := p.round(ctx)
	p.working.Wait()
	return n
}

// Round asks once about all that is to be asked now, and returns about how many persons that was; 0 if it failed.
func (a *Asker) Round(ctx context.Context) int { return a.round(ctx) }

// RankedQuestion and RankedWithdrawal mark calls as those of an Asker, and of a claim with a withdrawal.
func RankedQuestion(ctx context.Context) context.Context   { return ranked(ctx, rankQuestion) }
func RankedWithdrawal(ctx context.Context) context.Context { return ranked(ctx, rankWithdrawal) }

// CatchUp is Run's beginning and its first look. Ended waits for what was handed over since.
func (p *Pusher) CatchUp(ctx context.Context) {
	p.setRunning(true)
	p.Round(ctx)
}

// Returns is the register's return after an outage.
func (p *Pusher) Returns() { p.returned.Store(true) }

// Joined is what came of a claim on two records.
func Joined(all, other Result) Result { return joined(all, other, Claim{}) }

func (p *Pusher) Ended() { p.working.Wait() }

// Foreseen is closed when the records of a reservation have been read.
func (r Reservation) Foreseen() <-chan struct{} { return r.read }

// Early is how many records there are that were read ahead.
func (p *Pusher) Early() int {
	p.ahead.mu.Lock()
	defer p.ahead.mu.Unlock()
	return len(p.ahead.records)
}

// Widen is the success of so many.
func (p *Pusher) Widen(n int) {
	for range n {
		p.width.fits()
	}
}

// LeftNobody is a look that left nobody behind.
func (p *Pusher) LeftNobody() { p.caughtUp.Store(true) }

// SizesAhead is how many records are read ahead by each of the calls that end so.
func SizesAhead(ends ...error) (sizes []int) {
	var a ahead
	for _, err := range ends {
		sizes = append(sizes, a.most())
		a.end(map[contact.PersonID]Reading{{}: nil}, time.Time{}, time.Time{}, err)
	}
	return sizes
}
