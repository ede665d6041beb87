package push

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"contactsync/consent/group"
)

const (
	finishAtOnce   = 2
	mostInOneWrite = 1000 // results
	// lingerFor is how long fewer wait while more persons are worked on: a transaction of one costs hardly less than one of ten. Their
	// places are free already.
	lingerFor = 20 * time.Millisecond
)

// finisher records what came of claims, together with what ends while it is busy.
type finisher struct {
	store   Store
	log     *slog.Logger
	timeout time.Duration // of one transaction
	group   *group.Group[[]Ended]
}

// newFinisher takes how many results are worth a transaction, and whether more are to come soon.
func newFinisher(c Config, worth int, more func() bool) *finisher {
	f := &finisher{store: c.Store, log: c.Log, timeout: c.CallTimeout}
	f.group = &group.Group[[]Ended]{
		Do: func(ctx context.Context, all [][]Ended) error {
			f.record(ctx, slices.Concat(all...))
			return nil
		},
		AtOnce: finishAtOnce, Beside: mostInOneWrite, Most: mostInOneWrite, Size: func(some []Ended) int { return len(some) },
		Worth: worth, More: more, LingerFor: lingerFor}
	return f
}

// finish returns when the results are recorded, or could not be, which is logged.
func (f *finisher) finish(ctx context.Context, ended []Ended) { _ = f.group.Wait(ctx, ended) }

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
