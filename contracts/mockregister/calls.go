package mockregister

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"contactsync/contracts/rivta"
)

// window holds when things happened, for one second.
type window struct{ times []time.Time }

func (w *window) add(now time.Time) { w.times = append(w.times, now) }

// within tells how much happened less than a second ago, and forgets the rest.
func (w *window) within(now time.Time) int {
	old := 0
	for old < len(w.times) && now.Sub(w.times[old]) >= time.Second {
		old++
	}
	w.times = w.times[old:]
	return len(w.times)
}

// tally counts calls.
type tally struct {
	calls, most int
	recent      window
}

func (t *tally) add(now time.Time) {
	t.recent.add(now)
	t.calls++
	t.most = max(t.most, t.recent.within(now))
}

// callCounts counts the calls that reach the register, whatever becomes of them.
type callCounts struct {
	now func() time.Time

	mu               sync.Mutex
	all              tally
	byCaller, byName map[string]*tally // callers are those of verified certificates, names those of the contracts
}

// maxCallers bounds the callers that are counted one by one.
const maxCallers = 1000

func newCallCounts(now func() time.Time) *callCounts {
	c := &callCounts{now: now}
	c.reset()
	return c
}

func (c *callCounts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all, c.byCaller, c.byName = tally{}, map[string]*tally{}, map[string]*tally{}
}

// add counts a call; an empty caller is not known.
func (c *callCounts) add(caller, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.all.add(now)
	addTo(c.byName, name, now)
	if caller != "" {
		addTo(c.byCaller, caller, now)
	}
}

func addTo(tallies map[string]*tally, key string, now time.Time) {
	t, ok := tallies[key]
	if !ok && len(tallies) < maxCallers {
		t = &tally{}
		tallies[key], ok = t, true
	}
	if ok {
		t.add(now)
	}
}

// Calls tells how much the register was called, since it began or the count was reset. Calls that were refused or hit by
// a fault count too, as they come; what is carried out once more by a fault does not.
type Calls struct {
	Total           int         `json:"total"`
	MostInOneSecond int         `json:"mostInOneSecond"` // over any second, not only whole ones
	Callers         []CallCount `json:"callers"`         // by HSA-id
	Operations      []CallCount `json:"operations"`      // by contract name
}

// CallCount is Calls of one caller or operation.
type CallCount struct {
	Name            string `json:"name"`
	Calls           int    `json:"calls"`
	MostInOneSecond int    `json:"mostInOneSecond"`
}

// Calls tells how much the register was called.
func (r *Register) Calls() Calls {
	c := r.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	return Calls{c.all.calls, c.all.most, countsOf(c.byCaller), countsOf(c.byName)}
}

// ResetCalls begins to count anew.
func (r *Register) ResetCalls() { r.calls.reset() }

func countsOf(tallies map[string]*tally) []CallCount {
	counts := []CallCount{}
	for _, name := range slices.Sorted(maps.Keys(tallies)) {
		counts = append(counts, CallCount{name, tallies[name].calls, tallies[name].most})
	}
	return counts
}

// counted counts the calls, when they come.
func (r *Register) counted(endpoints []*rivta.Endpoint, contracts http.Handler) http.Handler {
	names := map[string]string{}
	for _, e := range endpoints {
		names[e.Operation.Path()] = e.Operation.Name
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if name, ok := names[request.URL.Path]; ok && request.Method == http.MethodPost {
			caller, _ := rivta.CallerOf(request) // without one there is none to count
			r.calls.add(caller.HSAID, name)
		}
		contracts.ServeHTTP(w, request)
	})
}
