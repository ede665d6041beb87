// Package reconcile compares what every person wants with what the register shows, reports the differences, and heals them.
//
// It changes nothing itself: to heal is to make a person due again, and the push does the rest as it always does. It judges by
// plan.Decide, as the push does. What persons want comes from a Store, their records from a Register in bulk. A difference counts only
// if the state was the same before and after the register was read, and our last write was too old to be missing from a late read.
//
// Passes go first over those with a No, then over the others, so that a No that is still present is found and healed first. After each
// page it is recorded how far the run has come, in the transaction that heals: a killed run goes on from there. Start with
// Reconciler.Run, then compare.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/register"
)

// Store knows what persons want.
type Store interface {
	// Page returns persons of a phase after one and up to last, with at most numbers numbers together, or one person that has more.
	Page(ctx context.Context, phase Phase, after, last int64, numbers int) (Page, error)
	// Persons returns these persons as they are now; a number that was joined with another one is that person.
	Persons(ctx context.Context, ids []int64) ([]Person, error)
}

// Journal records how far a run has come and what it found. All it is told in one call is recorded at once or not at all.
type Journal interface {
	// Record heals the findings of status Healing, unless the want has moved on: those are to be looked at again. It changes run as
	// the step says.
	Record(ctx context.Context, run *Run, s Step) error
	// Open returns up to limit cases of a status, of persons after one, in order; of those to be proved only whose push has ended, and
	// whose last write was made at least lag ago. They are never parts of a person's.
	Open(ctx context.Context, status Status, after int64, limit int, lag time.Duration) ([]Case, error)
	// Waiting tells how many are Healing.
	Waiting(ctx context.Context) (int64, error)
	// Report is what the run has found, with the first few cases.
	Report(ctx context.Context, run *Run, cases int) (Report, error)
}

// Options are what two runs must have in common for one to go on where the other has stopped.
type Options struct {
	Fix           bool
	RestoreShares bool // heal also where the register does not stand at our own version
}

// Run is how far a run has come.
type Run struct {
	ID int64
	Options
	Resumed   bool
	Phase     Phase
	Position  int64 // the last person of the phase that is done with
	Last      int64 // the last person that there is to compare
	Persons   int64 // that were compared
	Calls     int64 // to the register, repeated attempts included
	Unsettled int64 // channels that wait for the push anyway: no differences
	Changes   int64 // differences that were made due and count for the safety stop
	Begun     time.Time
}

// Step is what a part of a run came to.
type Step struct {
	Phase                              Phase // as Run's, after the step
	Position                           int64
	Persons, Calls, Unsettled, Changes int64     // to be added
	Over                               []int64   // persons whose cases of status Again are settled by the findings, or by there being none
	Findings                           []Finding // a newer one of a person's channel replaces the older
}

// Register tells what it has in bulk; register.Listing does.
type Register interface {
	List(ctx context.Context, numbers []contact.PersonID) (map[contact.PersonID]register.Listed, error)
}

// Limiter keeps to the calls that the register allows; push.Allowance does.
type Limiter interface {
	// Take returns when a call may be made; done says that it is over. Of one that may still be on its way nothing is said.
	Take(ctx context.Context) (done func(), err error)
}

// ErrAway says that the register could not be asked for longer than Patience. The run goes on where it was when it is started again.
var ErrAway = errors.New("the register does not answer")

// CallTimeout is the default of Config.CallTimeout.
const CallTimeout = 15 * time.Second

// Config of a reconciler. Zero durations and numbers take the default named beside them.
type Config struct {
	Store    Store
	Journal  Journal
	Register Register
	Limiter  Limiter
	// MaxChanges is the safety stop: so many differences are healed in a run, beside those that carry a No out. 0: none.
	MaxChanges  int64
	ReadLag     time.Duration // how late a write shows in the register's reads; none if 0
	Wait        time.Duration // for the push, before what was made due is said to be left; none if 0
	InFlight    int           // calls at once (20): at ten a second, for a register that takes two seconds to answer
	CallTimeout time.Duration // of one call (15 s)
	Patience    time.Duration // with a register that does not answer (2 min)
	Cases       int           // that the report names
	// Progress is told after each page. It must not block for long.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Run
	Found  int64 // differences in this process' part of the run
	Proved int64 // of those that were made due, in this process' part
}

// Done is the part of the phase that is done, from 0 to 1.
func (p Progress) Done() float64 {
	if p.Last == 0 || p.Phase == Proof || p.Phase == Ended {
		return 1
	}
	return float64(p.Position) / float64(p.Last)
}

// Reconciler compares and heals.
type Reconciler struct {
	cfg    Config
	run    Run
	found  int64
	proved int64
}

// New returns a reconciler for a run that was begun, or is to be gone on with.
func New(c Config, run Run) (*Reconciler, error) {
	if c.Store == nil || c.Journal == nil || c.Register == nil || c.Limiter == nil {
		return nil, errors.New("reconciler: store, journal, register and limiter are required")
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	if c.InFlight == 0 {
		c.InFlight = 20
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = CallTimeout
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	return &Reconciler{cfg: c, run: run}, nil
}

// Run compares everybody, heals what may be healed, and reports. ErrAway and the store's errors leave the run to be gone on with.
func (r *Reconciler) Run(ctx context.Context) (Report, error) {
	for _, phase := range []Phase{Withdrawals, Shares} {
		if r.run.Phase != phase {
			continue
		}
		if err := r.pass(ctx); err != nil {
			return Report{}, fmt.Errorf("compare: %w", err)
		}
		if err := r.lookAgain(ctx); err != nil {
			return Report{}, fmt.Errorf("look again: %w", err)
		}
		if err := r.record(ctx, Step{Phase: next(phase)}); err != nil {
			return Report{}, err
		}
	}
	if err := r.prove(ctx); err != nil {
		return Report{}, fmt.Errorf("look whether all is healed: %w", err)
	}
	if err := r.record(ctx, Step{Phase: Ended}); err != nil {
		return Report{}, err
	}
	return r.cfg.Journal.Report(ctx, &r.run, r.cfg.Cases)
}

func next(p Phase) Phase {
	if p == Withdrawals {
		return Shares
	}
	return Proof
}

// record keeps what a step came to, and tells of it.
func (r *Reconciler) record(ctx context.Context, s Step) error {
	if err := r.cfg.Journal.Record(ctx, &r.run, s); err != nil {
		return err
	}
	for _, f := range s.Findings {
		if f.Status != Again && s.Phase != Proof {
			r.found++
		}
	}
	r.cfg.Progress(Progress{Run: r.run, Found: r.found, Proved: r.proved})
	return nil
}
