package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	warming    = time.Second / 2 // before the rate counts
	undisputed = 5 * time.Second // over which a rate is taken
	returning  = 5 * time.Second // after the return, before the rate counts again
	fullRate   = 0.9             // of the lower rate counts as full
	leastAfter = 0.5             // of the rate before, else it has not come back
)

// outage: shares wait, and are carried out at full rate. Then the register cuts all connections, also of what it has just carried out,
// and is away for a while. The time runs from its return to the first second with the full rate again, which is
// the lower of those before and after: what a machine does in a second may change by a third within a minute. Both are told. The plain loop,
// which tries again every second, goes through the same.
func outage(ctx context.Context, r *rig, sc scenario) (figures, error) {
	f, err := r.cutOff(ctx, sc, ours())
	if err != nil {
		return nil, err
	}
	p, err := r.cutOff(ctx, sc, plainStubborn())
	if err != nil {
		return nil, err
	}
	f[baselinePerS], f[baselineAfter], f[baselineResume], f[baselineDuplicates] = p[ratePerS], p[rateAfter], p[resumeS], p[duplicates]
	f[baselineDecisions] = p[decisions]
	return f, nil
}

// cutOff measures one way. A backlog may be left.
func (r *rig) cutOff(ctx context.Context, sc scenario, w way) (_ figures, err error) {
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.meter.rhythm = &rhythm{}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	var before, after, rss float64
	var resumed time.Duration
	began := time.Now()
	err = s.during(ctx, w, func(ctx context.Context) (err error) {
		if before, err = s.rateBefore(ctx); err != nil {
			return err
		}
		s.cfg.Progress("the register is away")
		s.calls.away.Store(true)
		err = pause(ctx, s.cfg.Outage)
		s.calls.away.Store(false)
		back := time.Now()
		if err != nil {
			return err
		}
		if after, err = s.rateFrom(ctx, back.Add(returning)); err != nil {
			return err
		}
		if after < leastAfter*before {
			return fmt.Errorf("the register is back, and the rate is %.0f/s instead of %.0f/s", after, before)
		}
		resumed, err = s.untilFull(ctx, back, fullRate*min(before, after))
		rss, _ = residentMB()
		return err
	})
	if err != nil {
		return nil, err
	}
	f := s.figures(time.Since(began))
	for _, overAll := range []name{pushesPerS, callsPerPerson} { // the outage is in them
		delete(f, overAll)
	}
	f[ratePerS], f[rateAfter], f[resumeS] = before, after, resumed.Seconds()
	f[outageS], f[rssMB] = s.cfg.Outage.Seconds(), rss
	return f, s.verify(ctx)
}

var errBacklogGone = errors.New("the backlog was carried out before the measurement was over: more --decisions are needed")

// rateBefore is the rate while nothing is wrong.
func (s *stage) rateBefore(ctx context.Context) (float64, error) {
	if err := s.await(ctx, s.meter.first); err != nil {
		return 0, err
	}
	return s.rateFrom(ctx, time.Now().Add(warming))
}

// rateFrom is the rate from a time to come on.
func (s *stage) rateFrom(ctx context.Context, from time.Time) (float64, error) {
	if err := pause(ctx, time.Until(from.Add(undisputed))); err != nil {
		return 0, err
	}
	if s.meter.left.Load() == 0 {
		return 0, errBacklogGone
	}
	return float64(s.meter.rhythm.between(from, from.Add(undisputed))) / undisputed.Seconds(), nil
}

// untilFull waits for the first second with the rate.
func (s *stage) untilFull(ctx context.Context, back time.Time, rate float64) (time.Duration, error) {
	for {
		now := time.Now()
		if at, ok := s.meter.rhythm.firstSecond(back, now, rate); ok {
			return at.Sub(back), nil
		}
		if s.meter.left.Load() == 0 {
			return 0, errBacklogGone
		}
		if now.Sub(back) > patience {
			return 0, errors.New("the register is back, and the rate is not")
		}
		if err := pause(ctx, kafkaPoll); err != nil {
			return 0, err
		}
	}
}

// rhythm is when each push was committed, or each call came.
type rhythm struct {
	mu    sync.Mutex
	times []time.Time
}

func (r *rhythm) add(at time.Time) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times = append(r.times, at)
}

// since are the times from then on, in order: they are noted side by side.
func (r *rhythm) since(from time.Time) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	times := slices.SortedFunc(slices.Values(r.times), time.Time.Compare)
	at, _ := slices.BinarySearchFunc(times, from, time.Time.Compare)
	return times[at:]
}

func (r *rhythm) between(from, to time.Time) int {
	times := r.since(from)
	at, _ := slices.BinarySearchFunc(times, to, time.Time.Compare)
	return at
}

// firstSecond is the first second after from, and over by now, that has so many pushes. It begins at from or at a push.
func (r *rhythm) firstSecond(from, now time.Time, pushes float64) (time.Time, bool) {
	times := r.since(from)
	end := 0
	for begin, at := range append([]time.Time{from}, times...) {
		if at.Add(time.Second).After(now) {
			return time.Time{}, false
		}
		for end < len(times) && times[end].Before(at.Add(time.Second)) {
			end++
		}
		if float64(end-max(0, begin-1)) >= pushes {
			return at, true
		}
	}
	return time.Time{}, false
}
