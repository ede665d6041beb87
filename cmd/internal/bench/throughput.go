package bench

import (
	"context"
	"errors"
	"time"
)

// plainShare is how much of a load the plain loop gets: it is slow, and its rate does not depend on how much there is.
const plainShare = 4

// throughput: everything lies in Kafka when the clock starts, together with the worker. It stops when the register shows every
// newest decision and each decision has an outcome.
func throughput(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.drain(ctx, sc, ours())
	if err != nil {
		return nil, err
	}
	fewer := sc
	fewer.decisions = max(2, sc.decisions/plainShare)
	fewer.persons = min(sc.persons, fewer.decisions/channelsEach)
	p, err := r.drain(ctx, fewer, plain())
	if err != nil {
		return nil, err
	}
	f[baselinePerS], f[baselineDecisions] = p[ratePerS], p[decisions]
	return f, nil
}

// drain measures one way on one load.
func (r *rig) drain(ctx context.Context, sc scenario, w way) (_ figures, err error) {
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	began, rss := time.Now(), 0.0
	var ended time.Time
	err = s.during(ctx, w, func(ctx context.Context) (err error) {
		ended, err = s.settled(ctx, w)
		rss, _ = residentMB()
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.verify(ctx); err != nil {
		return nil, err
	}
	f := s.figures(ended.Sub(began))
	f[rssMB] = rss
	if w.bulk {
		for _, unseen := range []name{pushesPerS, outOfOrder, duplicates} {
			delete(f, unseen)
		}
	}
	return f, nil
}

// fill puts every decision on Kafka, and waits until whoever reads outcomes is there.
func (s *stage) fill(ctx context.Context) error {
	return errors.Join(s.publish(ctx, 0, s.load.decisions), s.await(ctx, s.outcomes.ready))
}

// figures are what the meters have counted over a time.
func (s *stage) figures(took time.Duration) figures {
	total, refused, most := s.calls.counts()
	return figures{
		decisions: float64(s.load.decisions), persons: float64(len(s.load.persons)),
		ratePerS:       float64(s.load.decisions) / took.Seconds(),
		pushesPerS:     float64(s.meter.pushes.Load()) / took.Seconds(),
		callsPerPerson: float64(total) / float64(len(s.load.persons)), mostCalls: float64(most), refusedCalls: float64(refused),
		outOfOrder: float64(s.meter.outOfOrder.Load()), duplicates: float64(s.meter.duplicates.Load()),
	}
}
