package push

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"contactsync/consent/trouble"
	"contactsync/sync/plan"
)

// Config of a pusher. Zero durations and numbers take the default named beside them.
type Config struct {
	Store    Store
	Register Register
	Records  Records // nil: every record is read by itself, and under its claim
	Changes  Changes // nil: every person is pushed by itself
	Log      *slog.Logger
	Now      func() time.Time // time.Now
	// RegisterNow is the time by which versions are judged that are times; Now if nil. It should not hang on this machine's clock alone.
	RegisterNow func() time.Time
	// SharesAllowed tells whether intake has taken over its partitions, so that no unread withdrawal is overlooked.
	SharesAllowed func() bool
	// Removed is called when a removal is durable, and may be looked for; nil: nobody looks. It must not block.
	Removed func()
	// Concurrency is how many persons are worked on at once (256), or fewer while the register cannot bear it. A quarter of the places is
	// kept for withdrawals.
	Concurrency int
	// CallTimeout bounds one register call with its retries (4 s). It must lie well inside the store's lease.
	CallTimeout time.Duration
	MaxBackoff  time.Duration // between two attempts for one person (5 min; never more than 1 min for one who has withdrawn)
	// ReadLag is how late a write shows in the register's reads: 3 s for the national service, 0 for ours.
	ReadLag time.Duration
	// VersionSettle is how long after a version's own second a record with it may still change: for registers whose versions are
	// times in whole seconds. 0: versions are unique. VersionZone is the zone those times are in.
	VersionSettle time.Duration
	VersionZone   *time.Location
	Poll          time.Duration // how often to look for persons that have become due (500 ms)
}

// What a Config has that says nothing else.
const (
	CallTimeout = 4 * time.Second
	Concurrency = 256
)

// firstPlaces is with how many persons at once a pusher begins: it knows nothing yet of what the register bears.
const firstPlaces = 16

func (c Config) withDefaults() (Config, error) {
	if c.Store == nil || c.Register == nil || c.Log == nil || c.SharesAllowed == nil {
		return c, errors.New("pusher: store, register, log and SharesAllowed are required")
	}
	if c.VersionSettle > 0 && c.VersionZone == nil {
		return c, errors.New("pusher: VersionSettle needs VersionZone")
	}
	if c.VersionSettle > 0 && c.Changes != nil {
		return c, errors.New("pusher: Changes needs versions that are never given twice")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RegisterNow == nil {
		c.RegisterNow = c.Now
	}
	if c.Concurrency == 0 {
		c.Concurrency = Concurrency
	}
	c.CallTimeout = orDefault(c.CallTimeout, CallTimeout)
	c.MaxBackoff = orDefault(c.MaxBackoff, 5*time.Minute)
	c.Poll = orDefault(c.Poll, 500*time.Millisecond)
	return c, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Pusher carries out what is due.
type Pusher struct {
	cfg      Config
	register Register
	finisher *finisher
	ahead    ahead
	width    *width
	breaker  *gobreaker.CircuitBreaker[Result]
	wake     chan struct{}
	freed    chan struct{} // a place is free
	placing  sync.Mutex    // held while places are taken
	running  bool          // Run has begun, and is not about to end; under placing
	caughtUp atomic.Bool   // the last look left nobody behind
	all      chan struct{} // places taken
	shares   chan struct{} // places taken by persons with shares only
	alone    chan struct{} // places taken by those whom a bulk has not brought to an end
	ended    chan struct{} // results that are not recorded yet: their places are free, but not without end
	working  sync.WaitGroup
	trouble  *trouble.Log // of the store
	troubles *trouble.Log // of the register
	returned atomic.Bool  // the register is back, and those whom its absence put off are to be hastened
	hastened time.Time    // when they were last
}

// New returns a pusher that is not running yet.
func New(c Config) (*Pusher, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	places, first := c.Concurrency, firstPlaces
	if c.Changes != nil {
		places, first = bulks*MostChanges, bulks*MostChanges
	}
	p := &Pusher{cfg: c, register: c.Register, width: newWidth(places, first),
		wake: make(chan struct{}, 1), freed: make(chan struct{}, 1), all: make(chan struct{}, places), shares: make(chan struct{}, max(1, places*3/4)),
		alone: make(chan struct{}, c.Concurrency), ended: make(chan struct{}, 2*places), trouble: trouble.New(c.Log), troubles: trouble.New(c.Log)}
	p.finisher = newFinisher(c, places/4, func() bool { return len(p.all) > 0 })
	p.breaker = gobreaker.NewCircuitBreaker[Result](gobreaker.Settings{
		Name: "register", MaxRequests: 1, Timeout: breakerTimeout,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 10 },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNoVote) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateClosed {
				p.returned.Store(true)
			}
		},
	})
	p.returned.Store(true) // the register may have been away before this worker started
	return p, nil
}

// aboutOnePerson tells an answer that concerns the person from trouble that concerns the register as a whole.
func aboutOnePerson(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Class == Stale || e.Class == Refused)
}

// Wake makes the pusher look for work at once.
func (p *Pusher) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, then lets the claims under way finish. It returns when all have.
func (p *Pusher) Run(ctx context.Context) {
	p.setRunning(true)
	defer p.working.Wait()
	defer p.setRunning(false)
	poll := time.NewTicker(p.cfg.Poll)
	defer poll.Stop()
	for ctx.Err() == nil {
		if p.breaker.State() != gobreaker.StateOpen && p.round(ctx) > 0 {
			continue
		}
		select {
		case <-p.wake:
		case <-poll.C:
		case <-ctx.Done():
		}
	}
}

// round claims for the free places, withdrawals first, and returns how many claims it started.
func (p *Pusher) round(ctx context.Context) int {
	p.caughtUp.Store(false)
	select { // wait for a place, so that a claim never waits under its lease
	case p.all <- struct{}{}:
		<-p.all
	case <-ctx.Done():
		return 0
	}
	p.gather(ctx)
	if p.returned.Load() && !p.hasten(ctx) {
		return 0
	}
	p.readAhead(ctx)
	urgent := p.claim(ctx, p.free(true), true)
	if urgent.err != nil {
		return 0 // nobody knows whether withdrawals are due
	}
	if urgent.started > 0 && urgent.more() {
		p.ahead.noteBehind(true)
		return urgent.started // more withdrawals may be due: a place that has become free meanwhile is theirs
	}
	if !p.cfg.SharesAllowed() {
		return urgent.started
	}
	room := p.sharesRoom(ctx)
	if room <= 0 {
		return urgent.started
	}
	shares := p.claim(ctx, room, false)
	p.ahead.noteBehind(shares.more())
	p.caughtUp.Store(shares.err == nil && !shares.more() && !urgent.more())
	return urgent.started + shares.started
}

// claimed is what came of a look for persons who are due.
type claimed struct {
	places, started int
	err             error
}

// more tells whether there were no places for more.
func (c claimed) more() bool { return c.started == c.places }

// gatherFor bounds how long places are waited for: a withdrawal may be due.
const gatherFor = 20 * time.Millisecond

// gather waits, while more persons are due than there are places, until a quarter of the places is free: a claim of many costs little
// more than a claim of one.
func (p *Pusher) gather(ctx context.Context) {
	if !p.ahead.isBehind() {
		return
	}
	enough := time.NewTimer(gatherFor)
	defer enough.Stop()
	for p.free(true) < min(cap(p.all), p.width.places())/4 {
		select {
		case <-p.freed:
		case <-enough.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// hastenEvery bounds how often backoff is cut short, whatever the register does.
const hastenEvery = 10 * time.Second

// hasten makes those due again whom an outage put off: else a withdrawal that was tried in vain meanwhile, and waits for its next
// attempt, would be carried out after shares that were not.
func (p *Pusher) hasten(ctx context.Context) bool {
	if !p.hastened.IsZero() && p.now().Sub(p.hastened) < hastenEvery {
		return true // then it is for a later round: whom the register's second absence put off may else wait for minutes
	}
	asking, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
	defer cancel()
	if err := p.cfg.Store.Hasten(asking); err != nil {
		if ctx.Err() == nil {
			p.trouble.Warn("claim", "claim failed", err)
		}
		return false
	}
	p.returned.Store(false)
	p.hastened = p.now()
	return true
}

// claim has as many persons worked on as there are places for.
func (p *Pusher) claim(ctx context.Context, most int, urgent bool) (c claimed) {
	if p.cfg.Changes != nil {
		most = min(most, MostChanges)
	}
	if p.breaker.State() == gobreaker.StateHalfOpen {
		most = min(most, 1-len(p.all)) // one probe, and nobody beside it
	}
	if c.places = p.take(most, urgent); c.places == 0 {
		return c
	}
	asking, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout) // a silent connection must not stop everything
	defer cancel()
	claims, err := p.cfg.Store.Claim(asking, c.places, urgent, p.cfg.SharesAllowed())
	p.giveBack(c.places-len(claims), urgent)
	if err != nil {
		if ctx.Err() == nil {
			p.trouble.Warn("claim", "claim failed", err)
		}
		c.err = err
		return c
	}
	p.trouble.Over("claim", "claims again")
	c.started = len(claims)
	p.begin(ctx, claims, urgent, nil)
	return c
}

// begin carries out claims that have places. foreseen is closed when their records have been read; nil: nobody reads them yet. It is not cut off by a
// stop: each ends inside its lease anyway.
func (p *Pusher) begin(ctx context.Context, claims []Claim, urgent bool, foreseen <-chan struct{}) {
	ctx = withRank(context.WithoutCancel(ctx), urgent)
	if p.cfg.Changes != nil && len(claims) > 0 {
		p.working.Go(func() { p.bulk(ctx, claims, urgent) })
		return
	}
	if foreseen == nil {
		foreseen = p.readClaimed(ctx, claims)
	}
	if foreseen == nil {
		p.beginEach(ctx, claims, urgent)
		return
	}
	p.working.Go(func() {
		<-foreseen
		p.beginEach(ctx, claims, urgent)
	})
}

func withRank(ctx context.Context, urgent bool) context.Context {
	if urgent {
		return ranked(ctx, rankWithdrawal)
	}
	return ctx
}

func (p *Pusher) beginEach(ctx context.Context, claims []Claim, urgent bool) {
	for _, c := range claims {
		p.working.Go(func() { p.single(ctx, c, urgent) })
	}
}

func (p *Pusher) single(ctx context.Context, c Claim, urgent bool) {
	attempting, cancel := context.WithDeadline(ctx, c.Expires)
	result := p.attempt(attempting, c)
	cancel()
	p.ended <- struct{}{}
	p.leave(1, urgent)
	p.finish(ctx, []Ended{{c, result}})
	<-p.ended
}

func (p *Pusher) finish(ctx context.Context, ended []Ended) {
	p.finisher.finish(ctx, ended)
	if p.cfg.Removed != nil && slices.ContainsFunc(ended, removes) {
		p.cfg.Removed()
	}
}

func removes(e Ended) bool {
	return slices.ContainsFunc(e.Result.Settled, func(s Settled) bool { return s.Target.Want.Kind == plan.Withdrawn })
}

// breakerTimeout is how long nothing is asked of a register that is down, before one probe.
const breakerTimeout = time.Second

// hopeless is after how many attempts a person's failures say nothing of the register any more, but of that person.
const hopeless = 8

// afterTrouble is how many attempts in a row must have failed for the next success to count as the register's return.
const afterTrouble = 3

// errNoVote is an attempt that tells nothing about the register as a whole.
var errNoVote = errors.New("no vote")

// attempt carries out one claim, and lets the breaker judge it as a whole: a register that answers reads and takes no writes is down.
func (p *Pusher) attempt(ctx context.Context, c Claim) Result {
	failed := p.breaker.Counts().ConsecutiveFailures
	a := &attempt{Pusher: p, claim: c}
	result, err := p.breaker.Execute(func() (Result, error) { return a.everywhere(ctx), a.vote() })
	switch {
	case errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests):
		return Result{RetryIn: breakerTimeout, Untried: true, Unsure: c.Unsure}
	case err == nil:
		p.troubles.Over("register", "the register answers again")
		if failed >= afterTrouble {
			p.returned.Store(true)
		}
	}
	return result
}

// call is one register call under its timeout. Trouble that is not about the person is remembered, and told.
func (a *attempt) call(ctx context.Context, f func(context.Context) (Reading, error)) (Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.CallTimeout)
	defer cancel()
	reading, err := f(ctx)
	if errors.Is(err, ErrNoAllowance) {
		a.unheard = true
		return reading, err
	}
	a.called = true
	switch e, _ := errors.AsType[*Error](err); {
	case err == nil:
		a.width.fits()
	case e != nil && e.Busy:
		a.width.tooMuch(a.now())
	}
	if err != nil && !aboutOnePerson(err) {
		a.failed = err
		a.troubles.Warn("register", "the register cannot be worked with", err)
	}
	return reading, err
}

// vote is what the attempt says of the register.
func (a *attempt) vote() error {
	switch {
	case !a.called, a.failed != nil && a.claim.Attempts >= hopeless:
		return errNoVote
	default:
		return a.failed
	}
}

func (p *Pusher) now() time.Time { return p.cfg.Now() }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
