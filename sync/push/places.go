package push

import "context"

const (
	// manyWithdrawals is how many must be under way for shares to hold back.
	manyWithdrawals = 16
	// fewShares is how many a worker has under way meanwhile: it may be long, and for no fault of theirs.
	fewShares = 4
)

// sharesRoom is how many shares may be claimed now: few while many withdrawals are under way, at whichever worker. A share whose record has been
// read ahead takes half as long, and a crowd of them would slow down what is to go first.
func (p *Pusher) sharesRoom(ctx context.Context) int {
	room, few := p.ahead.room(p.free(false)), max(0, fewShares-len(p.shares))
	if room <= few || p.cfg.Changes != nil {
		return room
	}
	asking, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
	defer cancel()
	underWay, err := p.cfg.Store.UnderWay(asking, manyWithdrawals+1)
	if err != nil {
		if ctx.Err() == nil {
			p.trouble.Warn("under way", "withdrawals under way are not counted", err)
		}
		return 0 // nobody knows how many there are
	}
	p.trouble.Over("under way", "withdrawals under way are counted again")
	if underWay > manyWithdrawals {
		return few
	}
	return room
}

// free is how many persons more can be worked on now. Shares leave a quarter of the places there are just now, and withdrawals have one more than
// that where it would be none.
func (p *Pusher) free(urgent bool) int {
	places := min(cap(p.all), p.width.places())
	if urgent {
		return max(0, min(cap(p.all), max(2, places))-len(p.all))
	}
	return max(0, min(places-len(p.all), max(1, places*3/4)-len(p.shares)))
}

func (p *Pusher) setRunning(is bool) {
	p.placing.Lock()
	defer p.placing.Unlock()
	p.running = is
}

// take takes up to n places, as many as are free.
func (p *Pusher) take(n int, urgent bool) int {
	p.placing.Lock()
	defer p.placing.Unlock()
	n = min(n, p.free(urgent))
	if !urgent && p.cfg.Changes == nil && len(p.all)-len(p.shares) > manyWithdrawals {
		n = min(n, fewShares-len(p.shares)) // who is handed over has not passed sharesRoom
	}
	for range n {
		p.all <- struct{}{}
		if !urgent {
			p.shares <- struct{}{}
		}
	}
	return max(0, n)
}

// giveBack gives places back that nobody has worked at.
func (p *Pusher) giveBack(n int, urgent bool) {
	for range n {
		<-p.all
		if !urgent {
			<-p.shares
		}
	}
}

// leave gives places back, and looks who is next if somebody may wait.
func (p *Pusher) leave(n int, urgent bool) {
	p.giveBack(n, urgent)
	select {
	case p.freed <- struct{}{}:
	default:
	}
	if !p.caughtUp.Load() {
		p.Wake()
	}
}
