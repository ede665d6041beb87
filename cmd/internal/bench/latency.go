package bench

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/messenger"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
)

// latency: residents decide at a steady rate. The time of each decision runs from when it was due, however busy the portal was, until
// the register has committed it, or a newer one of the same person and channel. Those of the first two seconds are not counted. On the way lie the portal's database, its relay,
// Kafka and the worker. The plain loops get theirs from Kafka: nobody keeps them before, and what that takes is not counted.
func latency(ctx context.Context, r *rig, sc scenario) (figures, error) {
	from := decided
	if r.cfg.FromKafka {
		from = produced
	}
	f, err := r.follow(ctx, sc, ours(), from)
	if err != nil {
		return nil, err
	}
	p, err := r.follow(ctx, sc, sc.plainEach(), produced)
	if err != nil {
		return nil, err
	}
	f[baselineP50], f[baselineP99], f[baselinePerS], f[baselineDecisions] = p[p50], p[p99], p[ratePerS], p[decisions]
	return f, nil
}

// origin makes decision i where decisions come from.
type origin func(ctx context.Context, s *stage, i int) error

func produced(ctx context.Context, s *stage, i int) error {
	return s.publisher.Publish(ctx, s.load.message(i))
}

// decided is what the portal does when a resident saves.
func decided(ctx context.Context, s *stage, i int) error {
	d := s.load.decision(i)
	_, err := s.choices.Decide(ctx, consentpg.Wish{EventID: d.EventID, Person: d.Person, Channel: d.Channel, Share: true, Value: d.Value})
	return err
}

// follow measures one way.
func (r *rig) follow(ctx context.Context, sc scenario, w way, from origin) (_ figures, err error) {
	s, err := r.newStage(ctx, sc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.meter.shownAt = make([]time.Time, s.load.decisions)
	if err := errors.Join(s.openPortal(ctx), s.await(ctx, s.outcomes.ready)); err != nil {
		return nil, err
	}
	var due []time.Time
	var took time.Duration
	rss := 0.0
	err = s.during(ctx, w, func(ctx context.Context) (err error) {
		if due, err = s.steadily(ctx, from, s.load.decisions); err != nil {
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

// openPortal starts what carries the portal's decisions to Kafka, and outcomes back.
func (s *stage) openPortal(ctx context.Context) (err error) {
	var m *messenger.Messenger
	if s.portal, err = s.connect(ctx, hands); err != nil {
		return err
	}
	s.choices, err = consentpg.New(consentpg.Config{Pool: s.portal, Source: eService, Pepper: []byte(event.DevelopmentPepper),
		AuditKey: audit.DevelopmentKey(), Now: time.Now, Written: func(context.Context) { m.Wake() }})
	if err != nil {
		return err
	}
	m, err = messenger.New(messenger.Config{Kafka: s.kafka, Pool: s.portal, Store: s.choices, Log: s.cfg.Log, Told: func(contact.PersonID) {}})
	if err != nil {
		return err
	}
	s.services.Go(func() error { return m.Run(s.serving) })
	return nil
}

// hands are how many decisions are made side by side.
const hands = 32

// steadily makes the first so many decisions, one after the other at the rate, and returns when each was due. The first one, which waits for the
// consumer group, comes before the others and is not counted. Those of one person and channel are made one after the other.
func (s *stage) steadily(ctx context.Context, decide origin, many int) ([]time.Time, error) {
	due := make([]time.Time, many)
	due[0] = time.Now()
	if err := decide(ctx, s, 0); err != nil {
		return nil, err
	}
	if err := s.await(ctx, s.meter.first); err != nil {
		return nil, err
	}
	making, ctx := errgroup.WithContext(ctx)
	lanes := make([]chan int, hands)
	for l := range lanes {
		lanes[l] = make(chan int, many)
		making.Go(func() error {
			for i := range lanes[l] {
				if err := decide(ctx, s, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	began := time.Now()
	for i := 1; i < many; i++ {
		due[i] = began.Add(time.Duration(i-1) * time.Second / time.Duration(s.sc.rate))
		if pause(ctx, time.Until(due[i])) != nil {
			break
		}
		key, _ := s.load.key(i)
		lanes[key%hands] <- i
	}
	for _, lane := range lanes {
		close(lane)
	}
	interrupted := context.Cause(ctx)
	return due, errors.Join(making.Wait(), interrupted)
}

// warmUp is how long decisions are not counted that begin a measurement: all connections are made then, and PostgreSQL learns in each what
// the tables are.
const warmUp = 2 * time.Second

// waits are the percentiles of how long the decisions took, in ms.
func (s *stage) waits(due []time.Time) (p50, p99 float64) {
	var waits []float64
	for i := 1 + min(int(warmUp.Seconds())*s.sc.rate, len(due)/4); i < len(due); i++ {
		waits = append(waits, float64(s.meter.shownAt[i].Sub(due[i]))/float64(time.Millisecond))
	}
	slices.Sort(waits)
	return percentile(waits, 50), percentile(waits, 99)
}
