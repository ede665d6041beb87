package push

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	finishAtOnce   = 2    // transactions: while one waits for the disk, the next one is prepared
	mostInOneWrite = 1000 // results
	// lingerFor bounds how long fewer wait while more persons are worked on. Their places are free already.
	lingerFor = 5 * time.Millisecond
)

// finisher records what came of claims, together with what ends while it is busy: a transaction costs more than what is in it.
// A goroutine runs while there is something to record, and only then; who waits for a result waits for it too.
type finisher struct {
	store   Store
	log     *slog.Logger
	timeout time.Duration // of one transaction
	worth   int           // results, for which nobody waits for more
	more    func() bool   // whether more results are to come soon

	mu        sync.Mutex
	waiting   []*ending
	writing   int
	lingering bool // the one that writes waits for more
}

// ending is a result that is to be recorded.
type ending struct {
	Ended
	done chan struct{}
}

// finish returns when the result is recorded, or could not be.
func (f *finisher) finish(ctx context.Context, e Ended) {
	one := &ending{e, make(chan struct{})}
	f.mu.Lock()
	f.waiting = append(f.waiting, one)
	if f.writing < finishAtOnce && !f.lingering {
		f.writing++
		go f.write(ctx)
	}
	f.mu.Unlock()
	<-one.done
}

// write goes on until nothing waits.
func (f *finisher) write(ctx context.Context) {
	for {
		f.linger(ctx)
		group := f.next()
		if len(group) == 0 {
			return
		}
		ended := make([]Ended, len(group))
		for i, one := range group {
			ended[i] = one.Ended
		}
		f.record(ctx, ended)
		for _, one := range group {
			close(one.done)
		}
	}
}

// linger lets more results come. Only who writes alone does: else the other one might take what it waits with, and nobody would wait for it.
func (f *finisher) linger(ctx context.Context) {
	f.mu.Lock()
	f.lingering = f.writing == 1 && 0 < len(f.waiting) && len(f.waiting) < f.worth && f.more()
	lingers := f.lingering
	f.mu.Unlock()
	if !lingers {
		return
	}
	_ = pause(ctx, lingerFor)
	f.mu.Lock()
	f.lingering = false
	f.mu.Unlock()
}

func (f *finisher) next() []*ending {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.waiting), mostInOneWrite)
	if n == 0 {
		f.writing--
	}
	group := f.waiting[:n:n]
	f.waiting = f.waiting[n:]
	return group
}

// record writes all at once, and one by one if that fails: what is wrong with one must not keep the others from being recorded.
func (f *finisher) record(ctx context.Context, ended []Ended) {
	writing, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	lost, err := f.store.Finish(writing, ended)
	for _, c := range lost {
		f.log.Warn("the lease has gone to another worker, which finds out by itself what came of this", "person_no", c.ID)
	}
	switch {
	case err == nil:
	case len(ended) > 1 && writing.Err() == nil:
		for _, e := range ended {
			f.record(ctx, []Ended{e})
		}
	default:
		f.log.Warn("results not recorded; their leases will run out and the persons are tried again", "results", len(ended),
			"person_no", ended[0].Claim.ID, "error", err.Error())
	}
}
