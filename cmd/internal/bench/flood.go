package bench

import (
	"context"
	"errors"
	"sync"
	"time"
)

// flood: one e-service hands as many shares as it can to the producer, while residents decide at a steady rate through another one. The
// time of each of theirs runs from when it was due to be handed to the producer until the register has committed it. Those of the two
// seconds before the flood begins are not counted. The baseline is the same without the flood.
func flood(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.beside(ctx, sc, sc.decisions)
	if err != nil {
		return nil, err
	}
	b, err := r.beside(ctx, sc, 0)
	if err != nil {
		return nil, err
	}
	f[baselineP50], f[baselineP99], f[baselineDecisions] = b[p50], b[p99], b[decisions]
	return f, nil
}

// floodLasts is how long the others are watched once the flood has begun.
const floodLasts = 10 * time.Second

// beside measures the others beside a flood of so many.
func (r *rig) beside(ctx context.Context, sc scenario, flooding int) (_ figures, err error) {
	others := 1 + int((warmUp+floodLasts).Seconds())*sc.rate
	sc.decisions = others + flooding
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.load.flood, s.meter.load.flood, s.meter.others.wanted = others, others, int64(others)
	s.meter.shownAt = make([]time.Time, s.load.decisions)
	if err := s.await(ctx, s.outcomes.ready); err != nil {
		return nil, err
	}
	var due []time.Time
	var took time.Duration
	rss := 0.0
	err = s.during(ctx, ours(), func(ctx context.Context) (err error) {
		var sending sync.WaitGroup
		var sent error
		sending.Go(func() { sent = s.sendFlood(ctx, others) })
		due, err = s.steadily(ctx, produced, others)
		if err == nil {
			err = s.await(ctx, s.meter.others.signal)
		}
		took = time.Since(due[1])
		rss, _ = residentMB()
		sending.Wait()
		if err == nil && flooding > 0 && s.meter.left.Load() == 0 {
			err = errors.New("the flood was over before the others had decided: more --decisions are needed")
		}
		return errors.Join(err, sent)
	})
	if err != nil {
		return nil, err
	}
	if err := s.verify(ctx); err != nil {
		return nil, err
	}
	f := s.figures(took)
	f[ratePerS] = f[pushesPerS]
	f[p50], f[p99] = s.waits(due)
	f[decisions] = float64(max(flooding, others))
	f[rssMB] = rss
	return f, nil
}

// sendFlood begins when the worker is warm.
func (s *stage) sendFlood(ctx context.Context, from int) error {
	if err := s.await(ctx, s.meter.first); err != nil {
		return err
	}
	if err := pause(ctx, warmUp); err != nil {
		return err
	}
	return s.publish(ctx, from, s.load.decisions)
}
