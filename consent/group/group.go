// Package group does what many callers want at about the same time in one go for all of them: a transaction costs more than what is in it.
package group

import (
	"context"
	"sync"
	"time"
)

// Group does what callers want, together with what others want while it is busy. Who comes alone waits for nobody, unless there is a reason to
// linger. A goroutine runs while there is something to do, and only then; callers wait for it.
type Group[T any] struct {
	// Do does it for all of them, or for none if it returns an error. The context is that of whoever has waited longest, so that nobody waits
	// beyond its deadline. After an error it is called for each by itself, under its own context while there is time: what is wrong with one must
	// not keep the others back.
	Do func(ctx context.Context, all []T) error
	// AtOnce is how many calls of Do may be under way: while one waits for the disk, the next one is prepared.
	AtOnce int
	// Beside is how much must wait for another one to begin beside those that are under way: less is better done together. Those that take longer
	// than tooLong do not count. They may wait for something that is nothing to the others.
	Beside int
	// Size is how much of Most a thing takes up; nil: one each. Most bounds what one Do gets, unless a single thing is larger.
	Size func(T) int
	Most int
	// While less than Worth waits and More tells that others are to come soon, they are waited for, up to LingerFor.
	Worth     int
	More      func() bool
	LingerFor time.Duration

	mu        sync.Mutex
	waiting   []*wish[T]
	size      int // of what waits
	working   int
	stuck     int           // of those that work: take longer than tooLong
	lingering chan struct{} // the one that works waits for more, until this is closed; nil: it does not
}

// wish is what one caller waits for.
type wish[T any] struct {
	what T
	size int
	ctx  context.Context
	done chan error // has room for the one answer
}

// Wait returns when it is done, or could not be.
func (g *Group[T]) Wait(ctx context.Context, what T) error {
	one := &wish[T]{what, 1, ctx, make(chan error, 1)}
	if g.Size != nil {
		one.size = g.Size(what)
	}
	g.mu.Lock()
	g.waiting, g.size = append(g.waiting, one), g.size+one.size
	switch {
	case g.lingering == nil:
		g.begin()
	case g.size >= g.Worth:
		close(g.lingering)
		g.lingering = nil
	}
	g.mu.Unlock()
	return <-one.done
}

// begin lets one more work if that is worth it. Nobody lingers, and the lock is held.
func (g *Group[T]) begin() {
	if g.worthOneMore(g.working) {
		g.working++
		go g.work()
	}
}

// worthOneMore tells whether one more is to work beside so many.
func (g *Group[T]) worthOneMore(others int) bool {
	return others < g.AtOnce && len(g.waiting) > 0 && (others <= g.stuck || g.size >= g.Beside)
}

const tooLong = 50 * time.Millisecond

// overtaken lets another one begin if this one takes too long. What it returns is to be called in the end.
func (g *Group[T]) overtaken() (end func()) {
	ended, stuck := false, false
	timer := time.AfterFunc(tooLong, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if ended {
			return
		}
		stuck = true
		g.stuck++
		g.begin() // while one is at it nobody lingers
	})
	return func() {
		timer.Stop()
		g.mu.Lock()
		defer g.mu.Unlock()
		if ended = true; stuck {
			g.stuck--
		}
	}
}

// work goes on until nothing waits.
func (g *Group[T]) work() {
	for {
		g.linger()
		wishes := g.next()
		if len(wishes) == 0 {
			return
		}
		end := g.overtaken()
		g.do(wishes)
		end()
	}
}

func (g *Group[T]) do(wishes []*wish[T]) {
	ctx := wishes[0].ctx
	all := make([]T, len(wishes))
	for i, one := range wishes {
		all[i] = one.what
	}
	err := g.Do(ctx, all)
	for i, one := range wishes {
		if err == nil || len(all) == 1 || one.ctx.Err() != nil {
			one.done <- err
		} else {
			one.done <- g.Do(one.ctx, all[i:i+1])
		}
	}
}

// linger lets more come. Only who works alone does: else the other one might take what it waits with, and nobody would wait for it.
func (g *Group[T]) linger() {
	g.mu.Lock()
	if g.More == nil || g.working > 1 || len(g.waiting) == 0 || g.size >= g.Worth || !g.More() {
		g.mu.Unlock()
		return
	}
	enough := make(chan struct{})
	g.lingering = enough
	g.mu.Unlock()
	over := time.NewTimer(g.LingerFor)
	defer over.Stop()
	select {
	case <-enough:
	case <-over.C:
		g.mu.Lock()
		g.lingering = nil
		g.mu.Unlock()
	}
}

// next takes what came first.
func (g *Group[T]) next() []*wish[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for g.worthOneMore(g.working-1) && n < len(g.waiting) && (n == 0 || size+g.waiting[n].size <= g.Most) {
		size += g.waiting[n].size
		n++
	}
	if n == 0 {
		g.working--
	}
	wishes := g.waiting[:n:n]
	if g.waiting, g.size = g.waiting[n:], g.size-size; len(g.waiting) == 0 {
		g.waiting = nil
	}
	return wishes
}
