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
	way           int // which of the ways in which the part suffers
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
			b := blow{after: drawTime(random, after[0], after[1]), length: drawTime(random, length[0], length[1]), way: random.IntN(len(ways))}
			b.what = ways[b.way]
			blows = append(blows, b)
		}
		return blows
	}
	const ms, s = time.Millisecond, time.Second
	often, brief := span{500 * ms, 3 * s}, span{0, 700 * ms}
	one := func(is *Service) func(time.Duration) error {
		return func(down time.Duration) error { return f.killed(is, down) }
	}
	register := func(down time.Duration) error { return errors.Join(f.killed(f.Register, down), f.dial(troubles(seed))) }
	return schedule{
		"workers":                    draw(often, brief, one(f.Workers[0]), one(f.Workers[1])),
		"the register's connections": draw(often, brief, f.cuts("worker-register")...),
		"the workers' PostgreSQL":    draw(often, brief, f.cuts("worker-postgres")...),
		"the portal's PostgreSQL":    draw(often, brief, f.cuts("portal-postgres")...),
		"the way to Kafka":           draw(often, brief, f.cuts("kafka")...),
		"PostgreSQL":                 draw(often, brief, f.postgresKilled),
		"the broker":                 draw(often, brief, f.brokerKilled),
		"the portal (and its relay)": draw(often, brief, one(f.Portal)),
		"the register":               draw(often, brief, register),
	}
}

// drawZombies draws what befalls the workers while decisions flow and Kafka stands: the register's connections are cut, and workers
// stop in the middle of what they do, now and then for longer than their lease.
func drawZombies(seed uint64, blows int, f *Fleet) schedule {
	random := rand.New(rand.NewPCG(seed, 6))
	cuts := f.cuts("worker-register")
	s := schedule{}
	for range blows {
		b := blow{after: drawTime(random, time.Second, 4*time.Second), length: drawTime(random, 0, 500*time.Millisecond), way: random.IntN(len(cuts))}
		b.what = cuts[b.way]
		s["the register's connections"] = append(s["the register's connections"], b)
	}
	for i, w := range f.Workers {
		for range max(1, blows/4) {
			s[w.Name] = append(s[w.Name], blow{after: drawTime(random, time.Duration(1+3*i)*time.Second, 12*time.Second),
				length: drawTime(random, 500*time.Millisecond, 5800*time.Millisecond), what: func(length time.Duration) error { return f.paused(w, length) }})
		}
	}
	return s
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
