package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/devstack"
	"contactsync/cmd/internal/messenger"
	"contactsync/cmd/internal/run"
	"contactsync/cmd/internal/worker"
	"contactsync/consent/consentpg"
	"contactsync/consent/event"
	"contactsync/consent/portal"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
)

// registerAddress is the logical address of the national service, which the mock answers to.
const registerAddress = "SE165565594230-1000"

// devServices are the services on a dev stack.
type devServices struct {
	stack    *devstack.Stack
	pool     *pgxpool.Pool
	register *mockregister.Register
	worker   *worker.Worker
	consent  *consentpg.Store
	messages *messenger.Messenger
	portal   *portal.Portal
	metrics  *prometheus.Registry
	log      *slog.Logger
}

// newDevServices brings the schemas up to date and makes the services; none runs yet.
func newDevServices(ctx context.Context, stack *devstack.Stack, log *slog.Logger) (_ *devServices, err error) {
	s := &devServices{stack: stack, metrics: prometheus.NewRegistry(), log: log}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.pool, err = pgxpool.New(ctx, stack.Postgres.URL()+"&pool_max_conns=24"); err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.register, err = s.newRegister(ctx); err != nil {
		return nil, err
	}
	if s.worker, err = s.newWorker(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *devServices) close() { s.pool.Close() }

func (s *devServices) newRegister(ctx context.Context) (*mockregister.Register, error) {
	if err := mockregister.Migrate(ctx, s.pool); err != nil {
		return nil, fmt.Errorf("prepare the register's schema: %w", err)
	}
	return mockregister.New(mockregister.Config{
		Pool: s.pool, Now: time.Now, Log: s.log.With("service", "register"), LogicalAddress: registerAddress,
		Callers: map[string]mockregister.Rights{
			devstack.WorkerHSAID:   {Read: true, Write: true, Protected: true},
			devstack.JournalHSAID:  {Read: true, Protected: true},
			devstack.StrangerHSAID: {},
		},
	})
}

func (s *devServices) newWorker(ctx context.Context) (*worker.Worker, error) {
	tls, err := s.stack.Certificates.ClientTLS(devstack.WorkerCertificate)
	if err != nil {
		return nil, fmt.Errorf("read the worker's certificate: %w", err)
	}
	at := s.stack.Endpoints()
	return newWorker(ctx, workerConfig{
		Pool: s.pool, Kafka: at.Kafka, RegisterURL: at.Register, RegisterTLS: tls,
		Metrics: s.metrics, Log: s.log.With("service", "worker"),
	}, devstack.WorkerHSAID)
}

// newConsent makes the residents' side: the portal, and what is decided there on its way to Kafka and back.
func (s *devServices) newConsent(ctx context.Context, persons []mockregister.TestPerson) (err error) {
	if err := consentpg.Migrate(ctx, s.pool); err != nil {
		return fmt.Errorf("prepare the portal's schema: %w", err)
	}
	s.consent, err = consentpg.New(consentpg.Config{
		Pool: s.pool, Source: "urn:hsaid:" + devstack.PortalHSAID, Pepper: []byte(event.DevelopmentPepper), Now: time.Now,
	})
	if err != nil {
		return err
	}
	config, err := s.stack.Certificates.ClientTLS(devstack.WorkerCertificate)
	if err != nil {
		return fmt.Errorf("read the portal's certificate: %w", err)
	}
	view, err := newRegisterView(s.stack.Endpoints().Register, config)
	if err != nil {
		return err
	}
	if s.portal, err = newPortal(s.consent, view, persons, s.log.With("service", "portal")); err != nil {
		return err
	}
	s.messages, err = messenger.New(messenger.Config{
		Kafka: stream.Config{Brokers: []string{s.stack.Endpoints().Kafka}}, Pool: s.pool, Store: s.consent, Log: s.log.With("service", "messenger"),
		Told: s.portal.Told,
	})
	return err
}

// runAll runs the services until one fails or ctx ends, and waits for every one to end. The listeners are open before, so
// ready may be called at once.
func (s *devServices) runAll(ctx context.Context, ready func() error) error {
	registerTLS, err := s.stack.Certificates.RegisterTLS()
	if err != nil {
		return fmt.Errorf("read the register's certificate: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	serve := func(server run.Server) {
		server.Log = s.log
		group.Go(func() error { return run.Serve(ctx, server) })
	}
	ports := s.stack.Ports
	serve(run.Server{Name: "register", Listener: ports.Register, Handler: s.register.Handler(), TLS: registerTLS})
	serve(run.Server{Name: "register admin", Listener: ports.RegisterAdmin, Handler: s.register.Admin()})
	serve(run.Server{Name: "ops", Listener: ports.Ops, Handler: s.ops().Handler()})
	serve(run.Server{Name: "portal", Listener: ports.Portal, Handler: s.portal.Handler()})
	group.Go(func() error { return closeRegister(ctx, s.register) })
	context.AfterFunc(ctx, s.portal.Drain) // pages that wait for news must not hold up the end
	group.Go(func() error { return s.worker.Run(ctx) })
	group.Go(func() error { return s.messages.Run(ctx) })
	group.Go(func() error { return s.watchPostgres(ctx) })
	group.Go(func() error {
		s.awaitWorker(ctx)
		return ready()
	})
	return group.Wait()
}

// awaitWorker waits until the worker has its partitions, so that "ready" is true of all. After a kill -9 the broker may take
// some seconds to forget the dead one; that is no reason to fail.
func (s *devServices) awaitWorker(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.worker.Check(ctx) != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *devServices) ops() run.Ops {
	checks := map[string]run.Check{"postgres": s.pool.Ping, "worker": s.worker.Check}
	return run.Ops{Checks: checks, Metrics: s.metrics, Now: time.Now, Log: s.log}
}

// watchPostgres ends everything when PostgreSQL ends by itself.
func (s *devServices) watchPostgres(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.stack.Postgres.Exited():
		return errors.New("PostgreSQL has ended unasked; see postgres/postgres.log in the data folder")
	}
}
