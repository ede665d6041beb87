package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// latency: decisions come at a steady rate. The time of each runs from when it was due to be handed to the producer, however
// busy the producer was, until the register has committed it, or a newer one of the same person and channel.
func latency(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.follow(ctx, sc, ours())
	if err != nil {
		return nil, err
	}
	p, err := r.follow(ctx, sc, plain())
	if err != nil {
		return nil, err
	}
	f[baselineP50], f[baselineP99], f[baselinePerS], f[baselineDecisions] = p[p50], p[p99], p[ratePerS], p[decisions]
	return f, nil
}

// follow measures one way.
func (r *rig) follow(ctx context.Context, sc scenario, w way) (_ figures, err error) {
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.meter.shownAt = make([]time.Time, s.load.decisions)
	if err := s.await(ctx, s.outcomes.ready); err != nil {
		return nil, err
	}
	var due []time.Time
	var took time.Duration
	rss := 0.0
	err = s.during(ctx, w, func(ctx context.Context) (err error) {
		if due, err = s.produce(ctx); err != nil {
			return err
		}
		ended, err := s.settled(ctx, w)
		took = ended.Sub(due[1])
		rss, _ = residentMB()
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.verify(ctx); err != nil {
		return nil, err
	}
	f := s.figures(took)
	f[p50], f[p99] = s.waits(due)
	f[rssMB] = rss
	return f, nil
}

// produce publishes one decision after the other at the rate, and returns when each was due. The first one, which waits for the
// consumer group, comes before the others and is not counted.
func (s *stage) produce(ctx context.Context) ([]time.Time, error) {
	due := make([]time.Time, s.load.decisions)
	due[0] = time.Now()
	if err := s.publisher.Publish(ctx, s.load.message(0)); err != nil {
		return nil, err
	}
	if err := s.await(ctx, s.meter.first); err != nil {
		return nil, err
	}
	faults := make([]error, s.load.decisions)
	var publishing sync.WaitGroup
	began := time.Now()
	for i := 1; i < s.load.decisions; i++ {
		due[i] = began.Add(time.Duration(i-1) * time.Second / time.Duration(s.cfg.Rate))
		if pause(ctx, time.Until(due[i])) != nil {
			break
		}
		publishing.Go(func() { faults[i] = s.publisher.Publish(ctx, s.load.message(i)) })
	}
	publishing.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return due, errors.Join(faults...)
}

// waits are the percentiles of how long the decisions took, in ms.
func (s *stage) waits(due []time.Time) (p50, p99 float64) {
	var waits []float64
	for i := 1; i < len(due); i++ {
		waits = append(waits, float64(s.meter.shownAt[i].Sub(due[i]))/float64(time.Millisecond))
	}
	slices.Sort(waits)
	return percentile(waits, 50), percentile(waits, 99)
}
