package push_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// slots are those of one register, in memory.
type slots struct {
	mu   sync.Mutex
	free []time.Time
}

func newSlots(n int) *slots { return &slots{free: make([]time.Time, n)} }

func (s *slots) Take(context.Context) (push.Slot, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := slices.Index(s.free, slices.MinFunc(s.free, time.Time.Compare))
	if wait := time.Until(s.free[first]); wait > 0 {
		return push.Slot{}, min(wait, 50*time.Millisecond), nil // one that is held may be given back at any time
	}
	s.free[first] = time.Now().Add(time.Hour)
	return push.Slot{Number: first + 1}, 0, nil
}

func (s *slots) Give(_ context.Context, slot push.Slot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free[slot.Number-1] = time.Now().Add(time.Second)
	return nil
}

// However long each call is on its way, no second of the register's sees more than are allowed, and hardly any slot is idle.
func TestNoSecondSeesMoreCallsThanAreAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const allowed, each, workers = 10, 100, 3
		shared, random := newSlots(allowed), rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		var arrived []time.Time
		delay := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(random.Int64N(int64(150 * time.Millisecond)))
		}
		began := time.Now()
		var calls sync.WaitGroup
		for range workers {
			a := push.NewAllowance(shared, func(time.Duration) {})
			for range each {
				calls.Go(func() {
					give, err := a.Take(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					<-time.After(delay())
					mu.Lock()
					arrived = append(arrived, time.Now())
					mu.Unlock()
					<-time.After(delay())
					give()
				})
			}
		}
		calls.Wait()
		slices.SortFunc(arrived, time.Time.Compare)
		for i := allowed; i < len(arrived); i++ {
			if arrived[i].Sub(arrived[i-allowed]) < time.Second {
				t.Fatalf("more than %d calls within a second", allowed)
			}
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("%d calls took %v", len(arrived), took)
		}
	})
}

func TestCallsThatWaitGoByRank(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := push.NewAllowance(newSlots(1), func(time.Duration) {})
		give, err := a.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var order []string
		var calls sync.WaitGroup
		for _, c := range []struct {
			name string
			ctx  context.Context
		}{
			{"share", t.Context()}, {"impatient", impatient}, {"question", push.RankedQuestion(t.Context())}, {"withdrawal", push.RankedWithdrawal(t.Context())},
		} {
			calls.Go(func() {
				give, err := a.Take(c.ctx)
				if err != nil {
					if c.name != "impatient" || !errors.Is(err, push.ErrNoAllowance) {
						t.Errorf("%s: %v", c.name, err)
					}
					return
				}
				order = append(order, c.name)
				give()
			})
			synctest.Wait()
		}
		<-time.After(200 * time.Millisecond)
		give()
		calls.Wait()
		if !slices.Equal(order, []string{"withdrawal", "question", "share"}) {
			t.Errorf("they went as %v", order)
		}
	})
}

// limited is a register that knows nobody, and notes in which order calls are let through.
type limited struct {
	*push.Allowance
	order []string
}

func (r *limited) call(ctx context.Context, what string) error {
	give, err := r.Take(ctx)
	if err != nil {
		return &push.Error{Class: push.Retry, Err: err}
	}
	r.order = append(r.order, what)
	give()
	return nil
}

func (r *limited) Read(ctx context.Context, p contact.PersonID) (push.Reading, error) {
	return nil, r.call(ctx, strings.TrimRight(p.RevealExtension(), "0123456789"))
}

func (r *limited) Shown(ctx context.Context, _ []contact.PersonID) (map[contact.PersonID]plan.Record, error) {
	return nil, r.call(ctx, "proof")
}

func (r *limited) Profiles(ctx context.Context, _ []contact.PersonID, _ bool) (map[contact.PersonID]plan.Profile, error) {
	return nil, r.call(ctx, "question")
}

// proofs is a store of removals that are to be proved.
type proofs struct{ left []push.Proof }

func (s *proofs) Proofs(context.Context, int) (out []push.Proof, _ error) {
	out, s.left = s.left, nil
	return out, nil
}

func (*proofs) Proved(context.Context, []push.Looked) ([]time.Duration, []push.Proof, error) {
	return nil, nil, nil
}

// A withdrawal that comes last goes before all else that waits, and a call for many persons before those for one.
func TestEachWaitsByTheRankOfWhatItDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := &slots{free: []time.Time{time.Now().Add(200 * time.Millisecond)}}
		register, log := &limited{Allowance: push.NewAllowance(one, func(time.Duration) {})}, slog.New(slog.DiscardHandler)
		q := newQueue()
		q.add("share", 2, false)
		pusher, err1 := push.New(push.Config{Store: q, Register: register, Log: log, SharesAllowed: func() bool { return true }, CallTimeout: 8 * time.Second})
		prover, err2 := push.NewProver(push.ProverConfig{Store: &proofs{[]push.Proof{{Records: []push.Linked{{Person: someone(1)}}}}}, Register: register, Log: log,
			Proved: func(time.Duration) {}, Failed: func() {}, Due: func() {}})
		asker, err3 := push.NewAsker(push.AskerConfig{Store: queueOf(1), Register: register, Log: log, Answered: func() {}, Every: time.Millisecond})
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { pusher.Run(ctx) })
		synctest.Wait()
		all.Go(func() { prover.Run(ctx) })
		synctest.Wait()
		all.Go(func() { asker.Run(ctx) })
		<-time.After(2 * time.Millisecond)
		q.add("withdrawal", 1, true)
		pusher.Wake()
		all.Wait()
		if !slices.Equal(register.order, []string{"withdrawal", "proof", "question", "share", "share"}) {
			t.Errorf("they went as %v", register.order)
		}
	})
}

// Questions are few, and a flood of withdrawals must not keep them from ever being asked.
func TestQuestionIsAskedUnderAFloodOfWithdrawals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := push.NewAllowance(newSlots(2), func(time.Duration) {})
		flood, stop := context.WithCancel(push.RankedWithdrawal(t.Context()))
		var calls sync.WaitGroup
		for range 5 {
			calls.Go(func() {
				for {
					give, err := a.Take(flood)
					if err != nil {
						return
					}
					give()
				}
			})
		}
		<-time.After(5 * time.Second)
		began := time.Now()
		give, err := a.Take(push.RankedQuestion(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		give()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it waited for %v", took)
		}
		stop()
		calls.Wait()
	})
}
