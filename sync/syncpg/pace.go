package syncpg

import (
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
