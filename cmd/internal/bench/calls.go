package bench

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// calls counts the calls that reach the register, and refuses those above a limit as an overloaded service does.
type calls struct {
	next  http.Handler
	limit int // in any second; 0: none
	away  atomic.Bool
	beat  *rhythm // of the calls; nil where nobody asks

	mu              sync.Mutex
	total, refused  int
	came, taken     window
	mostInOneSecond int
}

// ServeHTTP implements http.Handler. A register that goes away cuts every connection, also of what it has just carried out.
func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.hangUpIfAway()
	defer c.hangUpIfAway()
	if !c.take(time.Now()) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many calls", http.StatusTooManyRequests)
		return
	}
	c.next.ServeHTTP(w, r)
}

func (c *calls) hangUpIfAway() {
	if c.away.Load() {
		panic(http.ErrAbortHandler)
	}
}

func (c *calls) take(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	c.beat.add(now)
	c.mostInOneSecond = max(c.mostInOneSecond, c.came.add(now))
	if c.limit > 0 && c.taken.count(now) >= c.limit {
		c.refused++
		return false
	}
	c.taken.add(now)
	return true
}

func (c *calls) counts() (total, refused, mostInOneSecond int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total, c.refused, c.mostInOneSecond
}

// window holds what happened within the last second, wherever that second begins.
type window struct{ times []time.Time }

func (w *window) count(now time.Time) int {
	old := 0
	for old < len(w.times) && now.Sub(w.times[old]) >= time.Second {
		old++
	}
	w.times = w.times[old:]
	return len(w.times)
}

func (w *window) add(now time.Time) int {
	w.times = append(w.times, now)
	return w.count(now)
}
