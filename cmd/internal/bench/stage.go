package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/run"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/consent/stream"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/syncpg"
)

// stage is what one measurement happens on: topics, a database and a register of its own, with meters at both ends.
type stage struct {
	*rig
	sc        scenario
	load      load
	leavers   *leavers // nil where nobody withdraws
	kafka     stream.Config
	database  string
	pool      *pgxpool.Pool // the register's
	records   *mockregister.Register
	sealer    *audit.Sealer
	publisher *stream.Publisher
	portal    *pgxpool.Pool    // the portal's; nil where nobody decides there
	choices   *consentpg.Store // the portal's

	url      string // of the register
	meter    *meter
	calls    *calls
	outcomes *outcomes

	serving  context.Context // as long as the services run
	stop     context.CancelFunc
	services *errgroup.Group
}

const (
	registerConnections = 16
	workerConnections   = 24
	publishAtOnce       = 1000
)

// newStage prepares everything for a load and starts the register; nothing is published and no worker runs.
// The brokers are those of the rig unless others are given.
func (r *rig) newStage(ctx context.Context, sc scenario, brokers ...string) (_ *stage, err error) {
	if len(brokers) == 0 {
		brokers = r.brokers
	}
	s := r.named()
	s.sc = sc
	s.kafka = stream.Config{Brokers: brokers, Prefix: "bench-" + strings.ToLower(rand.Text()[:10]) + "-"}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.newDatabase(ctx); err != nil {
		return s, err
	}
	if s.load, err = s.newLoad(ctx, sc); err != nil {
		return s, err
	}
	if err := makeTopics(ctx, s.kafka, sc.topicPartitions()); err != nil {
		return s, err
	}
	if s.publisher, err = stream.NewPublisher(s.kafka); err != nil {
		return s, err
	}
	s.outcomes = newOutcomes(s.load.decisions)
	return s, s.serveRegister(ctx)
}

// named is a stage of which there is nothing yet.
func (r *rig) named() *stage {
	r.stages++
	return &stage{rig: r, database: fmt.Sprintf("stage_%d", r.stages)}
}

// newDatabase makes a database with all schemas. A checkpoint before lets every measurement begin alike.
func (s *stage) newDatabase(ctx context.Context) error {
	if err := s.execute(ctx, "create database "+s.database, "checkpoint"); err != nil {
		return err
	}
	var err error
	if s.pool, err = s.connect(ctx, registerConnections); err != nil {
		return err
	}
	if err := errors.Join(consentpg.Migrate(ctx, s.pool), syncpg.Migrate(ctx, s.pool), mockregister.Migrate(ctx, s.pool)); err != nil {
		return err
	}
	s.records, err = mockregister.New(mockregister.Config{
		AuditKey: audit.DevelopmentKey(),
		Pool:     s.pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: logicalAddress,
		Access: mockregister.MayAll(workerHSAID),
	})
	if err != nil {
		return err
	}
	s.sealer, err = audit.NewSealer(audit.SealerConfig{Pool: s.pool, Log: mockregister.AccessLog(), Key: audit.DevelopmentKey(), Now: time.Now, Logger: s.cfg.Log})
	return err
}

func (s *stage) connect(ctx context.Context, connections int32) (*pgxpool.Pool, error) {
	config, err := pgschema.ParseConfig(s.postgres.URL())
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	config.ConnConfig.Database, config.MaxConns = s.database, connections
	return pgxpool.NewWithConfig(ctx, config)
}

// newLoad fills the register with the persons who decide. Their records are empty, but not those of who will withdraw.
func (s *stage) newLoad(ctx context.Context, sc scenario) (load, error) {
	l := load{channels: channelsEach, decisions: sc.decisions, began: time.Now()}
	persons := sc.persons
	if persons == 0 {
		l.channels, persons = 1, sc.decisions
	}
	seeded, err := s.records.Seed(ctx, persons+sc.leaving)
	if err != nil {
		return l, err
	}
	for _, p := range seeded {
		if p.State == mockregister.StateGenerated {
			l.persons = append(l.persons, digitsOf(p.Extension))
		}
	}
	if sc.leaving > 0 {
		s.leavers = newLeavers(l.persons[persons:])
		l.persons = l.persons[:persons]
		err = s.leavers.share(ctx, s.records)
	}
	return l, err
}

// serveRegister serves the mock register as dev does, with the meter before its records.
func (s *stage) serveRegister(ctx context.Context) error {
	s.meter = newMeter(s.records, s.load, s.sc.latency)
	s.meter.profiles, s.meter.leavers = s.records, s.leavers
	config := personv4.HandlerConfig{LogicalAddress: logicalAddress, Authorizer: s.records}
	metered := rivta.NewHandler(slices.Concat(personv4.Endpoints(s.meter, config), personprofilev5.Endpoints(s.meter, config))...)
	whole := s.records.Handler()
	err := s.serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, contactsv1.Path) {
			whole.ServeHTTP(w, r)
			return
		}
		metered.ServeHTTP(w, r)
	}))
	if err != nil {
		return err
	}
	s.services.Go(func() error {
		return stream.Consume(s.serving, stream.ConsumeConfig{Config: s.kafka, Group: groupOutcomes, Topic: event.TopicOutcomes, Log: s.cfg.Log}, s.outcomes)
	})
	return nil
}

// serve runs the register for the length of the stage. It ends with close, not with ctx: a worker that ends needs it still.
func (s *stage) serve(ctx context.Context, contracts http.Handler) error {
	listener, err := listen()
	if err != nil {
		return fmt.Errorf("open a port for the register: %w", err)
	}
	s.calls = &calls{limit: s.sc.limit, next: contracts}
	s.url = "https://" + listener.Addr().String()
	s.serving, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.services = &errgroup.Group{}
	s.services.Go(func() error {
		return run.Serve(s.serving, run.Server{Name: "register", Listener: listener, Handler: s.calls, TLS: s.server, Log: s.cfg.Log})
	})
	s.services.Go(func() error { s.sealer.Run(s.serving); return nil }) // as the service does
	return nil
}

// close removes all that the stage has made. It may be called on a half-made one.
func (s *stage) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	var faults []error
	if s.stop != nil {
		s.stop()
		faults = append(faults, s.services.Wait())
	}
	if s.portal != nil {
		s.portal.Close()
	}
	if s.publisher != nil {
		faults = append(faults, s.publisher.Close(), deleteTopics(ctx, s.kafka))
	}
	if s.pool != nil {
		s.pool.Close()
		faults = append(faults, s.execute(ctx, "drop database "+s.database+" with (force)"))
	}
	return errors.Join(faults...)
}

// publish puts the decisions from one number up to but not including another on Kafka.
func (s *stage) publish(ctx context.Context, from, to int) error {
	messages := make([]stream.Message, 0, publishAtOnce)
	for i := from; i < to; i++ {
		messages = append(messages, s.load.message(i))
		if len(messages) < publishAtOnce && i < to-1 {
			continue
		}
		if err := s.publisher.Publish(ctx, messages...); err != nil {
			return err
		}
		messages = messages[:0]
	}
	return nil
}

var (
	errStopped = errors.New("stopped")
	errEnded   = errors.New("it ended by itself")
)

// during has a way of carrying decisions at work while do waits for what comes of it. When it returns, both have ended.
func (s *stage) during(ctx context.Context, w way, do func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	var working sync.WaitGroup
	working.Go(func() {
		if err := w.carry(ctx, s); err != nil {
			stop(fmt.Errorf("%s: %w", w.name, err))
		}
		stop(errEnded)
	})
	err := do(ctx)
	stop(errStopped)
	working.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, errStopped) {
		return cause
	}
	return err
}

// patience is how long nothing may move before a measurement is given up.
const patience = time.Minute

// settled waits until the register shows every newest decision and, where the way tells outcomes, each has one. It returns when that was.
func (s *stage) settled(ctx context.Context, w way) (time.Time, error) {
	if !w.bulk {
		if err := s.await(ctx, s.meter.all); err != nil {
			return time.Time{}, err
		}
	}
	if !w.tells {
		return s.meter.all.at, nil
	}
	if err := s.await(ctx, s.outcomes.all); err != nil {
		return time.Time{}, err
	}
	if w.bulk || s.outcomes.all.at.After(s.meter.all.at) {
		return s.outcomes.all.at, nil
	}
	return s.meter.all.at, nil
}

func (s *stage) await(ctx context.Context, wanted *signal) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	moved, before := time.Now(), s.progress(ctx)
	for {
		select {
		case <-wanted.c:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case now := <-tick.C:
			if p := s.progress(ctx); p != before {
				moved, before = now, p
			} else if now.Sub(moved) > patience {
				return fmt.Errorf("nothing has moved for %v: %d pushes, %d pairs of person and channel are behind, %d of %d decisions have an outcome",
					patience, s.meter.pushes.Load(), s.meter.left.Load(), s.outcomes.told(s.load.decisions), s.load.decisions)
			}
		}
	}
}

// progress grows with whatever moves. What is read while a gate is closed is neither pushed nor told of.
func (s *stage) progress(ctx context.Context) int {
	var read int
	_ = s.pool.QueryRow(ctx, `select coalesce(sum(next_offset), 0) from sync.partition`).Scan(&read) // else it does not move
	return read + int(s.meter.pushes.Load()) + s.outcomes.told(s.load.decisions)
}

// verify holds what the register ends with against the decisions.
func (s *stage) verify(ctx context.Context) error {
	return errors.Join(s.meter.verify(ctx, s.sc.backlog), s.outcomes.verify())
}
