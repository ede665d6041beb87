package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// withdrawBehindBacklog: shares wait, all of them read from Kafka, for a register that takes few calls a second; and people withdraw. The
// time of each withdrawal runs from when it was due to be handed to the producer until the register has removed the detail. Beside it
// the plain loop carries shares alone: what it has not come to by then waits in Kafka, before every withdrawal.
func withdrawBehindBacklog(ctx context.Context, r *rig, sc scenario) (_ figures, err error) {
	fewer := sc
	fewer.decisions, fewer.leaving, fewer.backlog = min(sc.decisions, plainSeconds*sc.limit/2), 0, false
	p, err := r.drain(ctx, fewer, plain())
	if err != nil {
		return nil, err
	}
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r.cfg.Progress("producing")
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	f, err := s.whileSharesWait(ctx)
	if err != nil {
		return nil, err
	}
	f[baselinePerS], f[baselineDecisions] = p[ratePerS], p[decisions]
	f[baselineWait] = float64(sc.decisions) / p[ratePerS]
	return f, errors.Join(s.verify(ctx), s.leavers.verify(ctx, s.records))
}

// plainSeconds is about how long the plain loop is watched: it reads and writes, so a share takes two calls.
const plainSeconds = 5

func (s *stage) whileSharesWait(ctx context.Context) (figures, error) {
	var due []time.Time
	var began, ended time.Time
	var pushed int
	s.calls.beat = &rhythm{}
	rss := 0.0
	err := s.during(ctx, ours(), func(ctx context.Context) (err error) {
		if err := s.await(ctx, s.meter.first); err != nil { // until all is read no share is pushed
			return err
		}
		began, pushed = time.Now(), int(s.meter.pushes.Load())
		if due, err = s.withdraw(ctx); err != nil {
			return err
		}
		err = s.await(ctx, s.leavers.all)
		ended = time.Now()
		rss, _ = residentMB()
		if err == nil && s.meter.left.Load() == 0 {
			err = errors.New("nothing waited in the end: more --decisions are needed")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f := s.figures(ended.Sub(began))
	f[pushesPerS] = float64(int(s.meter.pushes.Load())-pushed) / ended.Sub(began).Seconds()
	f[ratePerS] = f[pushesPerS] // none collapses
	f[callsPerPerson] = float64(s.meter.backlog.Load()) / float64(s.meter.pushes.Load())
	whole := max(ended.Sub(began).Truncate(time.Second), time.Second) // a part of a second may see all of its calls
	f[limitUsed] = float64(s.calls.beat.between(began, began.Add(whole))) / whole.Seconds() / float64(s.sc.limit)
	f[p50], f[p99] = s.leavers.waits(due)
	f[withdrawals], f[rssMB] = float64(len(due)), rss
	return f, nil
}

// withdraw hands over one withdrawal after the other, at the rate.
func (s *stage) withdraw(ctx context.Context) ([]time.Time, error) {
	s.cfg.Progress(fmt.Sprintf("%d withdrawals, %d a second", len(s.leavers.persons), s.sc.rate))
	due := make([]time.Time, len(s.leavers.persons))
	began := time.Now()
	for i := range due {
		due[i] = began.Add(time.Duration(i) * time.Second / time.Duration(s.sc.rate))
		if err := pause(ctx, time.Until(due[i])); err != nil {
			return nil, err
		}
		if err := s.publisher.Publish(ctx, s.leavers.withdrawal(i, time.Now())); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// waits are the percentiles of how long the withdrawals took, in ms.
func (l *leavers) waits(due []time.Time) (p50, p99 float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waits := make([]float64, len(due))
	for i := range due {
		waits[i] = float64(l.goneAt[i].Sub(due[i])) / float64(time.Millisecond)
	}
	slices.Sort(waits)
	return percentile(waits, 50), percentile(waits, 99)
}
