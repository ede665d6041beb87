package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// blow is one fault of a schedule: so long after the blow before it ended, for so long.
type blow struct {
	after, length time.Duration
	what          func(length time.Duration) error
}

type span [2]time.Duration // from, to

// schedule is what befalls each part. Parts suffer side by side; what befalls one of them comes one after the other.
type schedule map[string][]blow

// drawSchedule draws kills of each part, as many as asked for; the same seed draws the same ones. Where a part has several ways
// to suffer, one is drawn for each blow.
func drawSchedule(seed uint64, kills int, f *Fleet) schedule {
	random := rand.New(rand.NewPCG(seed, 2))
	draw := func(after, length span, ways ...func(time.Duration) error) []blow {
		var blows []blow
		for range kills {
			blows = append(blows, blow{drawTime(random, after[0], after[1]), drawTime(random, length[0], length[1]), ways[random.IntN(len(ways))]})
		}
		return blows
	}
	const ms, s = time.Millisecond, time.Second
	worker := func(i int) func(time.Duration) error {
		return func(down time.Duration) error { return f.killed(f.Workers[i], down) }
	}
	paused := func(i int) func(time.Duration) error {
		return func(down time.Duration) error { return f.paused(f.Workers[i], 10*down) } // longer than its lease now and then: a zombie
	}
	return schedule{
		"workers":                    draw(span{500 * ms, 3 * s}, span{0, 700 * ms}, worker(0), worker(1), worker(0), worker(1), paused(0), paused(1)),
		"the register's connections": draw(span{500 * ms, 3 * s}, span{0, 500 * ms}, f.cuts("worker-register")...),
		"the workers' PostgreSQL":    draw(span{500 * ms, 3 * s}, span{0, 500 * ms}, f.cuts("worker-postgres")...),
		"the portal's PostgreSQL":    draw(span{500 * ms, 3 * s}, span{0, 500 * ms}, f.cuts("portal-postgres")...),
		"the way to Kafka":           draw(span{500 * ms, 3 * s}, span{0, 500 * ms}, f.cuts("kafka")...),
		"PostgreSQL":                 draw(span{500 * ms, 3 * s}, span{0, 300 * ms}, f.postgresKilled),
		"the broker":                 draw(span{500 * ms, 3 * s}, span{0, 300 * ms}, f.brokerKilled),
		"the portal (and its relay)": draw(span{500 * ms, 3 * s}, span{0, 700 * ms}, func(d time.Duration) error { return f.killed(f.Portal, d) }),
		"the register": draw(span{500 * ms, 3 * s}, span{0, 700 * ms}, func(d time.Duration) error {
			return errors.Join(f.killed(f.Register, d), f.dial(troubles(seed)))
		}),
	}
}

func drawTime(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// run carries the schedule out and returns when all of it is over and every part is whole again.
func (s schedule) run(ctx context.Context) error {
	var mu sync.Mutex
	var faults []error
	var parts sync.WaitGroup
	for _, blows := range s {
		parts.Go(func() {
			for _, b := range blows {
				if wait(ctx, b.after) != nil {
					return
				}
				if err := b.what(b.length); err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	parts.Wait()
	return errors.Join(append(faults, ctx.Err())...)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Fleet) killed(s *Service, down time.Duration) error {
	s.Kill9()
	if err := wait(f.t.Context(), down); err != nil {
		return err
	}
	return s.Start()
}

func (f *Fleet) paused(s *Service, length time.Duration) error {
	s.Pause()
	defer s.Resume()
	return wait(f.t.Context(), length)
}

// cuts are the ways in which a link suffers: cut, slow, and silent.
func (f *Fleet) cuts(name string) []func(time.Duration) error {
	l := f.Links[name]
	return []func(time.Duration) error{
		func(length time.Duration) error {
			l.Cut()
			defer l.Mend()
			return wait(f.t.Context(), length)
		},
		func(length time.Duration) error {
			l.Slow(length)
			defer l.Clear()
			return wait(f.t.Context(), 2*length)
		},
		func(length time.Duration) error {
			l.Silence()
			defer l.Clear()
			return wait(f.t.Context(), 5*length)
		},
	}
}

func (f *Fleet) postgresKilled(down time.Duration) error {
	f.KillPostgres()
	if err := wait(f.t.Context(), down); err != nil {
		return err
	}
	return f.RestartPostgres()
}

func (f *Fleet) brokerKilled(down time.Duration) error {
	f.Broker.Kill9()
	if err := wait(f.t.Context(), down); err != nil {
		return err
	}
	return f.RestartBroker()
}
