package push

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Slots are the calls that may be made to the register within a second, by all workers together. A call takes one, and has it until a
// second after its answer: so no second sees more calls than there are slots, however long each of them was on its way.
type Slots interface {
	// Take takes a slot that is free; none: wait tells when one may be.
	Take(ctx context.Context) (slot Slot, wait time.Duration, err error)
	// Give says that the call is over. A slot that ran out meanwhile is somebody else's, and stays so.
	Give(ctx context.Context, slot Slot) error
}

// Slot is one that was taken; none has the number 0.
type Slot struct {
	Number int
	Ends   time.Time // on the slots' own clock, if it is not given back before
}

// ErrNoAllowance is the cause of a call that was not made, since its turn did not come in time.
var ErrNoAllowance = errors.New("no register call is free")

// rank says which of the calls that wait for a slot goes first.
type rank int

// The ranks. What bears none is ordinary.
const (
	rankOrdinary   rank = iota // a share
	rankQuestion               // one call for many persons
	rankWithdrawal             // before everything
	ranks
)

type rankKey struct{}

// ranked marks the calls that are made under the context.
func ranked(ctx context.Context, r rank) context.Context { return context.WithValue(ctx, rankKey{}, r) }

// Allowance lets calls go one after the other, by rank, each with a slot.
type Allowance struct {
	slots  Slots
	waited func(time.Duration) // for a slot

	mu      sync.Mutex
	asking  bool // somebody asks for a slot
	waiting [ranks][]waiter
}

// waiter is a call that waits for its turn.
type waiter struct {
	turn  chan struct{} // closed when it has come
	since time.Time
}

// longEnough is how long a question waits for withdrawals: under a flood of them, those before would never be proved gone, nor reach the
// records of a person's other numbers.
const longEnough = time.Second

// giveTimeout bounds how long it takes to give a slot back. One that is not given back is free again when a call would have timed out.
const giveTimeout = 2 * time.Second

// NewAllowance shares out slots. waited is told how long each call had to wait.
func NewAllowance(s Slots, waited func(time.Duration)) *Allowance {
	return &Allowance{slots: s, waited: waited}
}

// Take returns when a call may be made; give says that it is over. Of one that may still be on its way nothing is said: its slot runs out by
// itself. An error says that it must not be made.
func (a *Allowance) Take(ctx context.Context) (give func(), err error) {
	r, _ := ctx.Value(rankKey{}).(rank)
	began := time.Now()
	slot, err := a.take(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAllowance, err)
	}
	a.waited(time.Since(began))
	return func() {
		giving, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveTimeout)
		defer cancel()
		_ = a.slots.Give(giving, slot) // else it frees itself, later
	}, nil
}

func (a *Allowance) take(ctx context.Context, r rank) (Slot, error) {
	if err := a.turn(ctx, r); err != nil {
		return Slot{}, err
	}
	for {
		slot, wait, err := a.slots.Take(ctx)
		if err == nil && slot == (Slot{}) {
			err = pause(ctx, wait)
		}
		if err != nil || slot != (Slot{}) {
			a.next()
			return slot, err
		}
		if a.outranked(r) {
			a.next()
			if err := a.turn(ctx, r); err != nil {
				return Slot{}, err
			}
		}
	}
}

// outranked tells whether somebody waits who goes before us.
func (a *Allowance) outranked(r rank) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.waiting[r+1:], func(line []waiter) bool { return len(line) > 0 })
}

// turn waits until nobody of a higher rank, and nobody who came before, asks for a slot.
func (a *Allowance) turn(ctx context.Context, r rank) error {
	a.mu.Lock()
	if !a.asking {
		a.asking = true
		a.mu.Unlock()
		return nil
	}
	mine := waiter{make(chan struct{}), time.Now()}
	a.waiting[r] = append(a.waiting[r], mine)
	a.mu.Unlock()
	select {
	case <-mine.turn:
		return nil
	case <-ctx.Done():
		a.leave(r, mine)
		return ctx.Err()
	}
}

// leave gives up waiting. If the turn has come meanwhile, it goes to the next one.
func (a *Allowance) leave(r rank, mine waiter) {
	a.mu.Lock()
	at := slices.Index(a.waiting[r], mine)
	if at >= 0 {
		a.waiting[r] = slices.Delete(a.waiting[r], at, at+1)
	}
	a.mu.Unlock()
	if at < 0 {
		a.next()
	}
}

func (a *Allowance) next() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if line := a.waiting[rankQuestion]; len(line) > 0 && time.Since(line[0].since) >= longEnough {
		a.call(rankQuestion)
		return
	}
	for r := ranks - 1; r >= 0; r-- {
		if len(a.waiting[r]) > 0 {
			a.call(r)
			return
		}
	}
	a.asking = false
}

// call gives the turn to the first of a rank.
func (a *Allowance) call(r rank) {
	close(a.waiting[r][0].turn)
	a.waiting[r] = a.waiting[r][1:]
}
