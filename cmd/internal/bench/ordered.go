package bench

import (
	"context"
	"errors"
	"time"
)

// ordered: how fast a running worker pushes, against a loop for each partition that runs as long. Where each decision is another
// person's, nothing can be out of order: so the worker carries once more as many, several of each person, of which only what went wrong
// is counted.
func ordered(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.drainWarm(ctx, sc, ours())
	if err != nil {
		return nil, err
	}
	p, err := r.drainWarm(ctx, sc, sc.plainEach())
	if err != nil {
		return nil, err
	}
	f[baselinePerS], f[baselineDecisions] = p[ratePerS], p[decisions]
	several := sc
	several.persons = max(1, sc.decisions/severalOfEach)
	o, err := r.drain(ctx, several, ours())
	if err != nil {
		return nil, err
	}
	for _, wrong := range []name{outOfOrder, duplicates, refusedCalls} {
		f[wrong] += o[wrong]
	}
	return f, nil
}

const (
	severalOfEach = 10
	warmShare     = 5
)

// drainWarm measures one way on one load that is put on Kafka when the clock starts. Before, both ways have carried a fifth as many of
// other persons: what it takes to join the consumer group, to connect to the register and to prepare statements is done once a
// start and not once a push.
func (r *rig) drainWarm(ctx context.Context, sc scenario, w way) (_ figures, err error) {
	counted := sc.decisions
	warm := max(1, counted/warmShare)
	sc.decisions += warm
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.meter.warmed.wanted, s.outcomes.warmed.wanted = int64(warm), int64(warm)
	if err := errors.Join(s.publish(ctx, 0, warm), s.await(ctx, s.outcomes.ready)); err != nil {
		return nil, err
	}
	var took time.Duration
	rss := 0.0
	err = s.during(ctx, w, func(ctx context.Context) error {
		if err := s.carried(ctx, w); err != nil {
			return err
		}
		began := time.Now()
		if err := s.publish(ctx, warm, sc.decisions); err != nil {
			return err
		}
		ended, err := s.settled(ctx, w)
		took = ended.Sub(began)
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
	f[decisions], f[persons] = float64(counted), float64(len(s.load.persons)-warm)
	f[ratePerS] = float64(counted) / took.Seconds()
	f[pushesPerS] = float64(s.meter.pushes.Load()-int64(warm)) / took.Seconds()
	f[rssMB] = rss
	return f, nil
}

// carried waits until those before the clock starts are in the register, and told of.
func (s *stage) carried(ctx context.Context, w way) error {
	if err := s.await(ctx, s.meter.warmed.signal); err != nil || !w.tells {
		return err
	}
	return s.await(ctx, s.outcomes.warmed.signal)
}
