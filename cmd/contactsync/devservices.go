package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/auditing"
	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/devstack"
	"contactsync/cmd/internal/messenger"
	"contactsync/cmd/internal/run"
	"contactsync/cmd/internal/worker"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
	"contactsync/sync/register"
)

// registerAddress is by which the register of dev is addressed.
const registerAddress = config.NationalRegister

// devServices are the services on a dev stack. Each works with the rights of its own database role only, as it will elsewhere.
type devServices struct {
	stack    *devstack.Stack
	owner    *pgxpool.Pool
	pools    []*pgxpool.Pool
	register *mockregister.Register
	changes  changePublisher
	worker   *worker.Worker
	portal   portalService
	metrics  *prometheus.Registry
	auditKey audit.Key
	sealers  []*audit.Sealer // of what the portal and the register log; the worker seals its own
	log      *slog.Logger
}

// newDevServices brings the schemas up to date and makes the services; none runs yet.
func newDevServices(ctx context.Context, stack *devstack.Stack, log *slog.Logger, slow slowRegister) (_ *devServices, err error) {
	s := &devServices{stack: stack, metrics: newMetrics(), log: log}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.auditKey, err = stack.Folder.AuditKey(); err != nil {
		return nil, err
	}
	if s.owner, err = s.connect(ctx, stack.Postgres.URL()); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	if err := (mockregister.AccessAdmin{Pool: s.owner, By: "contactsync dev"}).Begin(ctx, devGrants()...); err != nil {
		return nil, err
	}
	if s.register, err = s.newRegister(ctx); err != nil {
		return nil, err
	}
	if err := slow.dial(s.register.Faults()); err != nil {
		return nil, err
	}
	s.metrics.MustRegister(newDeprecatedCalls(s.register))
	s.worker, err = s.newWorker(ctx, slow.limit)
	return s, err
}

func (s slowRegister) dial(f *mockregister.Faults) error {
	var limit, latency error
	if s.limit > 0 {
		_, limit = f.Set(mockregister.Fault{Kind: mockregister.KindRate, Rate: s.limit})
	}
	if s.latency > 0 {
		_, latency = f.Set(mockregister.Fault{Kind: mockregister.KindDelay, Duration: mockregister.Duration(s.latency)})
	}
	return errors.Join(limit, latency)
}

func (s *devServices) close() {
	for _, pool := range s.pools {
		pool.Close()
	}
}

func (s *devServices) connect(ctx context.Context, url string) (*pgxpool.Pool, error) {
	c, err := pgschema.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c.MaxConns = config.PoolSize
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	s.pools = append(s.pools, pool)
	return pool, nil
}

func (s *devServices) as(ctx context.Context, role string) (*pgxpool.Pool, error) {
	url, err := s.stack.Endpoints().PostgresAs(role)
	if err != nil {
		return nil, err
	}
	return s.connect(ctx, url)
}

func (s *devServices) migrate(ctx context.Context) error {
	passwords := map[string]string{}
	for _, role := range pgschema.Roles() {
		passwords[role] = s.owner.Config().ConnConfig.Password
	}
	return database.Migrate(ctx, s.owner, passwords)
}

func (s *devServices) newRegister(ctx context.Context) (*mockregister.Register, error) {
	pool, err := s.as(ctx, pgschema.RoleRegister)
	if err != nil {
		return nil, err
	}
	if err := s.seal(pool, mockregister.AccessLog()); err != nil {
		return nil, err
	}
	if s.changes, err = newChangePublisher(s.kafka(), pool, s.log.With("service", "register")); err != nil {
		return nil, err
	}
	r, err := mockregister.New(mockregister.Config{
		Message: changeMessages(s.kafka(), []byte(event.DevelopmentPepper), registerAddress),
		Pool:    pool, Now: time.Now, Log: s.log.With("service", "register"), LogicalAddress: registerAddress, AuditKey: s.auditKey,
	})
	if err != nil {
		return nil, err
	}
	return r, s.metrics.Register(newRegisterMetrics(r))
}

// devGrants are what the systems of dev may do on a new data folder. The stranger may nothing.
func devGrants() (all []mockregister.Grant) {
	reads := func(contract string) bool { return !strings.HasPrefix(contract, "Update") }
	everything := func(string) bool { return true }
	for _, system := range []struct {
		hsaID  string
		uses   func(contract string) bool
		rights mockregister.Rights
	}{
		// Support too: a correction reaches the register through the worker, and through nobody else.
		{devstack.WorkerHSAID, everything, mockregister.Rights{Protected: true, Support: true, Write: true}},
		{devstack.PortalHSAID, reads, mockregister.Rights{Protected: true}},
		{devstack.SupportHSAID, reads, mockregister.Rights{Protected: true}},
		{devstack.JournalHSAID, reads, mockregister.Rights{Protected: true}},
	} {
		for _, contract := range mockregister.Contracts() {
			if system.uses(contract) {
				all = append(all, mockregister.Grant{System: system.hsaID, Contract: contract, LogicalAddress: registerAddress, Rights: system.rights})
			}
		}
	}
	return all
}

func (s *devServices) kafka() stream.Config {
	return stream.Config{Brokers: []string{s.stack.Endpoints().Kafka}}
}

func (s *devServices) newWorker(ctx context.Context, limit int) (*worker.Worker, error) {
	pool, err := s.as(ctx, pgschema.RoleWorker)
	if err != nil {
		return nil, err
	}
	tls, err := s.stack.Certificates.ClientTLS(devstack.WorkerCertificate)
	if err != nil {
		return nil, fmt.Errorf("read the worker's certificate: %w", err)
	}
	return worker.New(worker.Config{
		Kafka: s.kafka(), Pool: pool, Pepper: []byte(event.DevelopmentPepper), AuditKey: s.auditKey, Source: "urn:hsaid:" + devstack.WorkerHSAID,
		RegisterURL: s.stack.Endpoints().Register, LogicalAddress: registerAddress, TLS: tls, Codes: register.DefaultCodes(),
		CallsPerSecond: limit, Now: time.Now, Metrics: s.metrics, Log: s.log.With("service", "worker"),
	})
}

// newPortal makes the residents' side: the portal, and what is decided there on its way to Kafka and back.
func (s *devServices) newPortal(ctx context.Context, persons []mockregister.TestPerson) error {
	pool, err := s.as(ctx, pgschema.RolePortal)
	if err != nil {
		return err
	}
	if err := s.seal(pool, consentpg.AuditLog()); err != nil {
		return err
	}
	tls, err := s.stack.Certificates.ClientTLS(devstack.PortalCertificate)
	if err != nil {
		return fmt.Errorf("read the portal's certificate: %w", err)
	}
	key := sha256.Sum256([]byte(event.DevelopmentPepper + " portal")) // published, as the pepper of development is
	s.portal, err = newPortal(portalParts{
		Pool: pool, Kafka: s.kafka(), Source: "urn:hsaid:" + devstack.PortalHSAID, Pepper: []byte(event.DevelopmentPepper), AuditKey: s.auditKey,
		Register: config.RegisterClient{URL: s.stack.Endpoints().Register, LogicalAddress: registerAddress, TLS: tls, Codes: register.DefaultCodes()},
		Key:      key[:], Persons: config.TestPersons(persons), Now: time.Now, Log: s.log.With("service", "portal"),
	})
	if err != nil {
		return err
	}
	return s.metrics.Register(messenger.NewUnpublished(s.portal.store))
}

func (s *devServices) seal(pool *pgxpool.Pool, log audit.Log) error {
	sealer, err := auditing.NewSealer(auditing.SealerConfig{Pool: pool, Log: log, Key: s.auditKey, Logger: s.log, Metrics: s.metrics})
	s.sealers = append(s.sealers, sealer)
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
	contracts := registerServer(ports.Register, s.register)
	contracts.TLS = registerTLS
	serve(contracts)
	serve(run.Server{Name: "register admin", Listener: ports.RegisterAdmin, Handler: s.register.Admin()})
	serve(run.Server{Name: "ops", Listener: ports.Ops, Handler: s.ops().Handler()})
	serve(run.Server{Name: "portal", Listener: ports.Portal, Handler: s.portal.pages.Handler()})
	context.AfterFunc(ctx, s.portal.pages.Drain) // pages that wait for news must not hold up the end
	group.Go(func() error { return keepRegister(ctx, s.register, s.changes) })
	group.Go(func() error { return s.worker.Run(ctx) })
	group.Go(func() error { return s.portal.messages.Run(ctx) })
	group.Go(func() error { return s.watchPostgres(ctx) })
	for _, sealer := range s.sealers {
		group.Go(func() error { sealer.Run(ctx); return nil })
	}
	group.Go(func() error {
		s.awaitWorker(ctx)
		return ready()
	})
	err = group.Wait()
	for _, sealer := range s.sealers {
		auditing.Last(ctx, sealer)
	}
	return err
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

func (s *devServices) ops() *run.Ops {
	checks := map[string]run.Check{"postgres": s.owner.Ping, "worker": s.worker.Check}
	return run.NewOps(run.OpsConfig{Checks: checks, Metrics: s.metrics, Now: time.Now, Log: s.log})
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
