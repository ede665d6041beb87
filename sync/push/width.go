package push

import (
	"sync"
	"time"
)

// tooLong is how long a call may wait for its turn before fewer persons are worked on at once: they wait under their leases.
const tooLong = time.Second

// width is how many persons are worked on at once just now. It begins with a few and grows by one with each success, until the register
// says for the first time that it is too much, or says nothing in time. Then, and at every such word, it is halved, and grows by one for as
// many successes as there are places.
type width struct {
	most int

	mu     sync.Mutex
	now    float64
	halved time.Time
}

func newWidth(most, first int) *width { return &width{most: most, now: float64(min(most, first))} }

func (w *width) places() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int(w.now)
}

func (w *width) fits() {
	w.mu.Lock()
	defer w.mu.Unlock()
	more := 1.0
	if !w.halved.IsZero() {
		more = 1 / w.now
	}
	w.now = min(float64(w.most), w.now+more)
}

// tooMuch halves at most once a second: what was under way then says the same again.
func (w *width) tooMuch(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.halved.IsZero() || at.Sub(w.halved) >= time.Second {
		w.now, w.halved = max(1, w.now/2), at
	}
}

// Waited takes in how long a call waited for its turn.
func (p *Pusher) Waited(d time.Duration) {
	if d > tooLong {
		p.width.tooMuch(p.now())
	}
}
