package push_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"contactsync/consent/contact"
	"contactsync/sync/plan"
	"contactsync/sync/push"
)

// modelCall is a worker's call on its way: it waits until the model has it carried out, and again until the model lets the answer through. A
// call that nobody waits for any more is still on its way.
type modelCall struct {
	worker   *modelWorker
	what     string
	made     time.Time
	register bool // goes to the register
	write    bool
	carryOut func()
	answer   func(error) // nil: what came of it
	done     bool        // carried out, and not answered yet
	orphan   bool
	lands    time.Time // an orphan: not before
}

// modelAnswer is what a call comes back with.
type modelAnswer[T any] struct {
	value T
	err   error
}

var (
	errCut  = errors.New("connection reset")
	errDead = errors.New("the worker is dead")
)

// ask makes a call and waits. What it does, the model does: one thing at a time.
func ask[T any](ctx context.Context, w *modelWorker, what string, do func() (T, error)) (T, error) {
	answers := make(chan modelAnswer[T], 1)
	var got modelAnswer[T]
	c := &modelCall{worker: w, what: what, made: time.Now(), register: what[0] == 'r' || what[0] == 'w', write: what[0] == 'w', carryOut: func() { got.value, got.err = do() }}
	c.answer = func(err error) {
		if err != nil {
			got = modelAnswer[T]{err: err}
		}
		answers <- got
	}
	if !w.model.send(c) {
		return modelAnswer[T]{}.value, errDead
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-w.patience(ctx):
		<-time.After(time.Duration(len(what)) * time.Microsecond) // two that were made at once do not end at once
		w.model.giveUp(c)
		return modelAnswer[T]{}.value, ctx.Err()
	}
}

// send puts a call on its way; a dead worker sends nothing.
func (m *model) send(c *modelCall) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.worker.dead || m.over {
		return false
	}
	m.calls = append(m.calls, c)
	return true
}

func (m *model) giveUp(c *modelCall) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.abandon(c)
}

// abandon leaves a call without its caller: it is carried out some time, unless it was.
func (m *model) abandon(c *modelCall) {
	c.orphan, c.answer = true, func(error) {}
	if c.done {
		m.remove(c)
	}
}

func (m *model) remove(c *modelCall) {
	m.calls = slices.DeleteFunc(m.calls, func(other *modelCall) bool { return other == c })
}

// underWay are the calls that may go on now, in an order that does not hang on who was quicker.
func (m *model) underWay() []*modelCall {
	now := time.Now()
	slices.SortStableFunc(m.calls, func(a, b *modelCall) int {
		return cmp.Or(a.made.Compare(b.made), cmp.Compare(a.worker.number, b.worker.number), cmp.Compare(a.what, b.what))
	})
	var out []*modelCall
	for _, c := range m.calls {
		if c.orphan && c.lands.IsZero() {
			c.lands = now.Add(time.Duration(1+m.draw([]int{100, 4000, 12000, 30000}[m.draw(4)])) * time.Millisecond)
		}
		if c.orphan && !now.Before(c.lands) || !c.orphan && !now.Before(c.worker.stoppedUntil) {
			out = append(out, c)
		}
	}
	return out
}

// goOn lets a call go one step further, or something happen to it.
func (m *model) goOn(c *modelCall) {
	switch {
	case c.orphan:
		m.note("late: %v %s", c.worker, c.what)
		m.remove(c)
		if m.calm || m.draw(3) < 2 { // else it is lost
			c.carryOut()
		}
	case !c.done:
		m.arrive(c)
	case m.faulty(c):
		m.note("answer lost: %v %s", c.worker, c.what)
		m.remove(c)
		c.answer(errCut)
	default:
		m.remove(c)
		c.answer(nil)
	}
}

func (m *model) arrive(c *modelCall) {
	again := *c
	switch {
	case m.faulty(c):
		m.note("cut, and still on its way: %v %s", c.worker, c.what)
		c.answer(errCut)
		m.abandon(c)
	case m.faulty(c) && c.register, strings.HasPrefix(c.what, writeAgain) && m.draw(2) == 1: // a register that loses calls has much to do
		m.note("not taken: %v %s", c.worker, c.what)
		m.remove(c)
		c.answer(&push.Error{Class: push.Retry, Err: errCut})
	default:
		m.note("%v %s", c.worker, c.what)
		if c.write && m.faulty(c) {
			again.orphan, again.answer = true, func(error) {} // who asked may be told what came of the second one
			m.calls = append(m.calls, &again)
		}
		c.carryOut()
		c.done = true
		if !c.register && m.draw(3) < 2 { // PostgreSQL is near
			m.remove(c)
			c.answer(nil)
		}
	}
}

// faulty tells whether something goes wrong with a call. PostgreSQL is nearer than the register.
func (m *model) faulty(c *modelCall) bool {
	n := m.oneOf
	if !c.register {
		n *= 3
	}
	return !m.calm && m.draw(n) == n-1
}

// modelWorker is a real pusher whose calls are the model's to carry out. It works on one person at a time, so that all that happens in it
// follows from the answers it gets: that it does several at a time is for other tests.
type modelWorker struct {
	model        *model
	number       int
	pusher       *push.Pusher
	stop         context.CancelFunc
	asked        time.Time // when it asked last for withdrawals
	dead         bool
	stoppedUntil time.Time     // as SIGSTOP does
	clock        time.Duration // ahead of the others
	stoodStill   bool          // its clock has, with all its timers
}

func (w *modelWorker) String() string { return fmt.Sprint("worker ", w.number) }

// now is the worker's own clock.
func (w *modelWorker) now() time.Time {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	return time.Now().Add(w.clock)
}

// wake is each worker's poll, which is left out while there is nothing to find.
func (m *model) wake() {
	if len(m.store.waiting(true))+len(m.store.waiting(false)) == 0 {
		return
	}
	for _, w := range m.workers {
		w.pusher.Wake()
	}
}

// patience ends when a call has taken too long.
func (w *modelWorker) patience(ctx context.Context) <-chan struct{} {
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	if w.stoodStill {
		return nil
	}
	return ctx.Done()
}

// start is one more worker.
func (m *model) start() {
	m.number++
	w := &modelWorker{model: m, number: m.number, clock: time.Duration(m.draw(7)-3) * time.Minute}
	if w.clock < 0 {
		w.clock = -w.clock
	}
	c := push.Config{Store: modelSide{w}, Register: w, Records: w, Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true },
		Now: w.now, RegisterNow: time.Now, Concurrency: 1, Poll: 1000 * time.Hour, MaxBackoff: 5 * time.Second, ReadLag: m.readLag}
	if m.wholeSeconds && m.trap != secondsAreShared {
		c.VersionSettle, c.VersionZone = 1200*time.Millisecond, time.UTC
	}
	var err error
	if w.pusher, err = push.New(c); err != nil {
		m.t.Fatal(err)
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(m.t.Context())
	m.workers = append(m.workers, w)
	m.note("%v starts", w)
	m.running.Go(func() { w.pusher.Run(ctx) })
}

// kill ends a worker as kill -9 does: it learns nothing more, and what it has sent is on its way.
func (m *model) kill(w *modelWorker) {
	m.note("%v is killed", w)
	w.dead = true
	w.stop()
	for _, c := range slices.Clone(m.calls) {
		if c.worker == w && !c.orphan {
			c.answer(errDead)
			m.abandon(c)
		}
	}
	m.workers = slices.DeleteFunc(m.workers, func(other *modelWorker) bool { return other == w })
}

// Read implements push.Register.
func (w *modelWorker) Read(ctx context.Context, p contact.PersonID) (push.Reading, error) {
	return ask(ctx, w, "read "+p.RevealExtension(), func() (push.Reading, error) {
		if w.model.unknown(p) {
			return nil, nil
		}
		return w.reading(p, w.model.register.lag()), nil
	})
}

func (w *modelWorker) reading(p contact.PersonID, lag time.Duration) push.Reading {
	return &modelReading{w, p, w.model.register.read(p, lag)}
}

// Records implements push.Records.
func (w *modelWorker) Records(ctx context.Context, ids []contact.PersonID) (map[contact.PersonID]push.Reading, error) {
	return ask(ctx, w, "read many", func() (map[contact.PersonID]push.Reading, error) {
		out := map[contact.PersonID]push.Reading{}
		for _, p := range ids {
			if !w.model.unknown(p) {
				out[p] = w.reading(p, w.model.register.lag())
			}
		}
		return out, nil
	})
}

const writeAgain = "write again "

// Write implements push.Reading.
func (r *modelReading) Write(ctx context.Context, write plan.Write) (string, error) {
	send := func(what string) (string, error) {
		return ask(ctx, r.worker, what+r.person.RevealExtension(), func() (string, error) {
			return r.worker.model.register.write(r.person, r.record, write)
		})
	}
	version, err := send("write ")
	if errors.Is(err, errCut) && r.worker.model.trap == updatesAreRepeated {
		return send(writeAgain)
	}
	return version, err
}

// modelSide is a worker's way to the store.
type modelSide struct{ *modelWorker }

// Claim implements push.Store.
func (w modelSide) Claim(ctx context.Context, limit int, urgent, shares bool) ([]push.Claim, error) {
	m, asked := w.model, w.now()
	if urgent {
		w.asked = time.Now()
		return ask(ctx, w.modelWorker, "claim of withdrawals", func() ([]push.Claim, error) {
			return m.store.claim(w.modelWorker, limit, urgent, shares, asked), nil
		})
	}
	began := w.asked
	return ask(ctx, w.modelWorker, "claim shares", func() ([]push.Claim, error) {
		claims := m.store.claim(w.modelWorker, limit, urgent, shares, asked)
		for _, r := range m.store.waiting(true) {
			m.holds(len(claims) == 0 || r.dueAt.After(began) || r.urgentSince.After(began), "a share goes before a withdrawal that was due")
		}
		return claims, nil
	})
}

// UnderWay implements push.Store.
func (w modelSide) UnderWay(ctx context.Context, limit int) (int, error) {
	return ask(ctx, w.modelWorker, "count withdrawals", func() (int, error) { return w.model.store.underWay(limit), nil })
}

// Waiting implements push.Store.
func (w modelSide) Waiting(ctx context.Context, limit int) ([]contact.PersonID, error) {
	return ask(ctx, w.modelWorker, "look around", func() ([]contact.PersonID, error) { return w.model.store.persons(limit), nil })
}

// Finish implements push.Store.
func (w modelSide) Finish(ctx context.Context, ended []push.Ended) ([]push.Claim, error) {
	return ask(ctx, w.modelWorker, "finish", func() (lost []push.Claim, err error) {
		for _, e := range ended {
			if !w.model.store.finish(e) {
				lost = append(lost, e.Claim)
			}
		}
		return lost, nil
	})
}

// Hasten implements push.Store.
func (w modelSide) Hasten(ctx context.Context) error {
	_, err := ask(ctx, w.modelWorker, "hasten", func() (struct{}, error) { w.model.store.hasten(); return struct{}{}, nil })
	return err
}
