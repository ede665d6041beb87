package mockregister

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// Faults are the faults that are dialled on a register. All methods may be used from several goroutines.
//
// A call goes through them by the stage of their kind, and within a stage in the order in which they were dialled: what one
// of them keeps from being carried out does not reach those behind it, and is not counted by them. They meet only calls
// that are well-formed and allowed.
type Faults struct {
	now   func() time.Time
	knows func(caller string) bool
	past  past
	told  func(call, answer)                                  // of what was carried out without anybody waiting for it
	shown func(context.Context, call, *personv4.Record) error // is told of a record before a fault shows it
	after func(time.Duration) <-chan time.Time                // time.After, save in tests

	mu      sync.Mutex
	dialled []*dialled
	last    int // number of the id that was given last
	pending int
	closed  bool

	group   sync.WaitGroup  // what is pending
	closing chan struct{}   // closed when Close begins
	life    context.Context // of what is pending: it belongs to the register, and to no call
	end     context.CancelFunc
}

const (
	maxFaults  = 100  // dialled at one time
	maxPending = 1000 // calls to be carried out later
)

// ErrTooManyFaults is returned by Set when as many faults are dialled as can be. Clear some.
var ErrTooManyFaults = errors.New("too many faults are dialled")

// DialledFault is a fault with what came of it.
type DialledFault struct {
	ID string `json:"id"`
	Fault
	Hits int `json:"hits"` // calls that were hit
}

// dialled is a fault at work.
type dialled struct {
	DialledFault
	rule  kindRule
	gone  bool // cleared
	draws *rand.Rand
	let   map[string]*window // of kind rate: the calls let through, by caller
}

func newFaults(now func() time.Time, knows func(caller string) bool, told func(call, answer)) *Faults {
	f := &Faults{now: now, knows: knows, told: told, after: time.After, closing: make(chan struct{})}
	f.life, f.end = context.WithCancel(context.Background())
	return f
}

// Set dials a fault and returns its id. The error is a *FieldError or ErrTooManyFaults.
func (f *Faults) Set(fault Fault) (id string, err error) {
	if wrong := fault.check(f.knows); wrong != nil {
		return "", wrong
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.dialled) >= maxFaults && !f.forgetUsedUp() {
		return "", ErrTooManyFaults
	}
	f.last++
	rule, _ := ruleOf(fault.Kind)
	d := &dialled{
		DialledFault: DialledFault{ID: "f" + strconv.Itoa(f.last), Fault: fault}, rule: rule,
		draws: rand.New(rand.NewPCG(fault.Seed, fault.Seed)), let: map[string]*window{},
	}
	f.dialled = append(f.dialled, d)
	f.keepPast()
	return d.ID, nil
}

// forgetUsedUp makes room by the oldest fault that can hit no more.
func (f *Faults) forgetUsedUp() bool {
	i := slices.IndexFunc(f.dialled, (*dialled).usedUp)
	if i < 0 {
		return false
	}
	f.dialled = slices.Delete(f.dialled, i, i+1)
	f.keepPast()
	return true
}

// List returns the faults in the order in which they were dialled, those that are used up too, and how many calls are
// still to be carried out later.
func (f *Faults) List() (faults []DialledFault, pending int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	faults = []DialledFault{}
	for _, d := range f.dialled {
		faults = append(faults, d.DialledFault)
	}
	return faults, f.pending
}

// Clear takes a fault back: false when there is none of this id. No call is hit after that; what is pending stays.
func (f *Faults) Clear(id string) bool {
	return f.clear(func(d *dialled) bool { return d.ID == id }) > 0
}

// ClearAll takes all faults back. What is pending stays.
func (f *Faults) ClearAll() { f.clear(func(*dialled) bool { return true }) }

func (f *Faults) clear(which func(*dialled) bool) (cleared int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dialled = slices.DeleteFunc(f.dialled, func(d *dialled) bool {
		d.gone = which(d)
		if d.gone {
			cleared++
		}
		return d.gone
	})
	f.keepPast()
	return cleared
}

// keepPast keeps replaced records for as long as the longest read lag asks for.
func (f *Faults) keepPast() {
	var longest time.Duration
	for _, d := range f.dialled {
		if d.Kind == KindReadLag {
			longest = max(longest, time.Duration(d.Duration))
		}
	}
	f.past.keepFor(longest)
}

// Close ends what is pending: what still waits for its time is dropped, what is being carried out may finish until ctx
// ends and is then interrupted. Calls that a fault holds back are let go without being carried out.
func (f *Faults) Close(ctx context.Context) error {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.closing)
	}
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		f.group.Wait()
		close(done)
	}()
	defer f.end()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	f.end()
	select {
	case <-done:
	case <-time.After(interruptTimeout):
	}
	return fmt.Errorf("close faults: %w", context.Cause(ctx))
}

// interruptTimeout is how long what was interrupted may take to notice.
const interruptTimeout = time.Second

// call is a call as the faults see it.
type call struct {
	operation    rivta.Operation
	class        string
	caller       rivta.Caller
	person       personv4.ID
	unrestricted bool
	// over puts an update over the record that it replaces, of a contract that cannot say all that a record holds; nil: it can.
	over    func(stored personv4.Record) personv4.Update
	persons []personv4.ID // of a bulk call, or one of the REST contract: all whom it is about; person is zero then
	rest    bool          // of the REST contract
	// lagged makes of an answer of the REST contract what it was before, as told of each person: false for one who has not changed since.
	lagged func(a answer, before func(personv4.ID) (person, bool)) answer
}

// isAbout tells whether the call is about the person with this identity.
func (c call) isAbout(extension string) bool {
	return c.person.Extension == extension ||
		slices.ContainsFunc(c.persons, func(id personv4.ID) bool { return id.Extension == extension })
}

// meets tells whether all filters fit.
func (d *dialled) meets(c call) bool {
	return agree(d.rule.only, c.class) && agree(d.Operation, c.class) &&
		(d.Contract == "" || d.Contract == c.operation.Name || d.Contract == contractOf(c.operation)) &&
		(d.Person == "" || c.isAbout(d.Person)) &&
		(d.Kind != KindStale || namesVersion(c.operation.Name)) &&
		(d.Caller == "" || d.Caller == c.caller.HSAID)
}

func (d *dialled) usedUp() bool { return d.Count > 0 && d.Hits >= d.Count }

// around puts the faults that meet a call around what carries it out.
func (f *Faults) around(c call, do carry) carry {
	f.mu.Lock()
	met := slices.DeleteFunc(slices.Clone(f.dialled), func(d *dialled) bool { return !d.meets(c) })
	f.mu.Unlock()
	slices.SortStableFunc(met, func(a, b *dialled) int { return int(a.rule.stage - b.rule.stage) })
	for _, d := range slices.Backward(met) {
		do = f.behind(d, c, do)
	}
	return do
}

// behind is carry with a fault before it.
func (f *Faults) behind(d *dialled, c call, next carry) carry {
	return func(ctx context.Context) answer {
		if !f.hit(d, c) {
			return next(ctx)
		}
		a := f.act(ctx, d, c, next)
		a.dialled = append([]string{d.ID + ":" + string(d.Kind)}, a.dialled...)
		return a
	}
}

// hit decides whether the call is hit. A kind that carries out later gets its place among the pending here.
func (f *Faults) hit(d *dialled, c call) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.gone || f.closed || d.usedUp() || !f.due(d, c) || !d.drawn() {
		return false
	}
	d.Hits++
	if d.Kind == KindLateWrite || d.Kind == KindDuplicate {
		f.pending++
		f.group.Add(1)
	}
	return true
}

// due tells whether there is cause for what the kind does.
func (f *Faults) due(d *dialled, c call) bool {
	switch d.Kind {
	case KindRate:
		return !d.letThrough(c.caller.HSAID, f.now())
	case KindReadLag:
		return slices.ContainsFunc(append(c.persons[:len(c.persons):len(c.persons)], c.person), func(id personv4.ID) bool {
			_, ok := f.past.before(id, time.Duration(d.Duration), f.now())
			return ok
		})
	case KindLateWrite, KindDuplicate:
		return f.pending < maxPending
	}
	return true
}

// letThrough counts a call if the rate has room for it. Those that are turned away do not count.
func (d *dialled) letThrough(caller string, now time.Time) bool {
	w, ok := d.let[caller]
	if !ok {
		w = &window{}
		d.let[caller] = w
	}
	if w.within(now) >= d.Rate {
		return false
	}
	w.add(now)
	return true
}

func (d *dialled) drawn() bool { return d.Probability == nil || d.draws.Float64() < *d.Probability }
