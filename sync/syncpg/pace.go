package syncpg

import (
	"cmp"
	"math/bits"
	"sync"
	"time"
)

const (
	calm      = 60          // shares of one e-service that nobody has to wait for, to begin with
	calmNoes  = 600         // the same of withdrawals: about what a register of ten calls a second carries out in the time
	paceOver  = time.Minute // after which half of what was counted is forgotten
	mostPaced = 1000        // e-services; more are not told apart
)

// pace counts what e-services have sent lately of one kind, so that whoever sends it by the thousand stands behind the others, and
// harms only itself. Each worker counts what it reads.
type pace struct {
	calm   int
	mu     sync.Mutex
	halved time.Time
	sent   map[string]int
}

// crowd gives everybody in q a place by what the same source has sent lately. What is made due by the thousand, by an operator or a comparison with
// the register, has by as its source: a fresh No must not wait for it.
func (s *Store) crowd(q queue, by string) {
	now := time.Now()
	for person, p := range q {
		source := cmp.Or(by, p.source)
		switch {
		case !p.due:
		case p.closes:
			p.crowd = min(crowded, s.closed.crowd(source, now))
		case p.urgent:
			p.crowd = min(crowded, s.noes.crowd(source, now))
		default:
			p.crowd = s.shares.crowd(source, now)
		}
		q[person] = p
	}
}

// crowd takes in one more, and gives its place: 0 for an e-service of few, one more for each time that it has doubled.
func (p *pace) crowd(source string, now time.Time) int16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		p.sent, p.halved = map[string]int{}, now
	}
	for ; now.Sub(p.halved) >= paceOver; p.halved = p.halved.Add(paceOver) {
		for s, n := range p.sent {
			if p.sent[s] = n / 2; n < 2 {
				delete(p.sent, s)
			}
		}
		if len(p.sent) == 0 {
			p.halved = now
			break
		}
	}
	if _, known := p.sent[source]; !known && len(p.sent) >= mostPaced {
		source = ""
	}
	p.sent[source]++
	return int16(bits.Len(uint(p.sent[source] / p.calm)))
}
