package syncpg

import (
	"math/bits"
	"sync"
	"time"
)

const (
	calm      = 60          // shares of one e-service that nobody has to wait for, to begin with
	paceOver  = time.Minute // after which half of what was counted is forgotten
	mostPaced = 1000        // e-services; more are not told apart
)

// pace counts the shares that e-services have sent lately, so that whoever sends them by the thousand stands behind the others, and
// harms only itself. Each worker counts what it reads.
type pace struct {
	mu     sync.Mutex
	halved time.Time
	shares map[string]int
}

// crowd takes in one more share, and gives its place: 0 for an e-service of few, one more for each time that it has doubled.
func (p *pace) crowd(source string, now time.Time) int16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shares == nil {
		p.shares, p.halved = map[string]int{}, now
	}
	for ; now.Sub(p.halved) >= paceOver; p.halved = p.halved.Add(paceOver) {
		for s, n := range p.shares {
			if p.shares[s] = n / 2; n < 2 {
				delete(p.shares, s)
			}
		}
		if len(p.shares) == 0 {
			p.halved = now
			break
		}
	}
	if _, known := p.shares[source]; !known && len(p.shares) >= mostPaced {
		source = ""
	}
	p.shares[source]++
	return int16(bits.Len(uint(p.shares[source] / calm)))
}
