package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/time/rate"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/contracts/personprofilev5"
	"contactsync/sync/push"
	"contactsync/sync/reconcile"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

// reconcilePlace is what reconcile works on, with the rights of a worker.
type reconcilePlace struct {
	pool     *pgxpool.Pool
	store    *syncpg.Store
	register *register.Listing
	readLag  time.Duration
	shared   int // calls a second that the register allows us and the workers together; 0: no limit
}

// reconcileCalls bounds the connections to the register: more than it has calls under way.
const reconcileCalls = 32

func openReconcilePlace(ctx context.Context, data string) (*reconcilePlace, error) {
	find := devReconcile
	if data == "" {
		find = func(string) (config.Reconcile, error) { return configured(config.ReadReconcile) }
	}
	c, err := find(data)
	if err != nil {
		return nil, err
	}
	listing, err := newListing(c.Register)
	if err != nil {
		return nil, usageError{fmt.Errorf("register: %w", err)}
	}
	pool, err := pgxpool.NewWithConfig(ctx, c.Postgres)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	p := &reconcilePlace{pool: pool, register: listing, readLag: c.ReadLag, shared: c.CallsPerSecond}
	p.store, err = syncpg.New(syncpg.Config{Pool: pool, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey})
	if err == nil {
		err = database.Ready(pool, syncpg.Schema())(ctx)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return p, nil
}

// limit is how many calls may be made a second: our own part, and of those that the register allows us and the workers together.
type limit struct {
	own    *rate.Limiter
	shared *push.Allowance // nil: there is no limit
}

// newLimit gives up to perSecond calls. What a killed run had taken is free again after the timeout of a call.
func (p *reconcilePlace) newLimit(perSecond float64) limit {
	l := limit{own: rate.NewLimiter(rate.Limit(perSecond), 1)}
	if p.shared > 0 {
		l.shared = push.NewAllowance(syncpg.NewSlots(p.pool, p.shared, reconcile.CallTimeout), func(time.Duration) {})
	}
	return l
}

// Take implements reconcile.Limiter.
func (l limit) Take(ctx context.Context) (done func(), err error) {
	if err := l.own.Wait(ctx); err != nil || l.shared == nil {
		return func() {}, err
	}
	return l.shared.Take(ctx)
}

// newListing uses the client that repeats only what was never sent: whatever else is repeated waits for its turn anew.
func newListing(c config.RegisterClient) (*register.Listing, error) {
	_, once := register.HTTPClients(c.TLS, reconcileCalls, nil)
	client, err := personprofilev5.NewClient(personprofilev5.ClientConfig{ClientConfig: c.SOAP(once)})
	if err != nil {
		return nil, err
	}
	return register.NewListing(register.ListingConfig{Client: client, Codes: c.Codes, Observe: func(string, string, string, time.Duration) {}})
}

// devReadLag is how late reads are in dev at the most, as faults are dialled: the national service's.
const devReadLag = 3 * time.Second

// devReconcile asks the register by the worker's own certificate.
func devReconcile(dir string) (c config.Reconcile, err error) {
	at, err := devstack.ReadEndpoints(dir)
	if err != nil {
		return c, fmt.Errorf("find the register by --data: %w", err)
	}
	address, err := at.PostgresAs(pgschema.RoleWorker)
	if err != nil {
		return c, err
	}
	if c.Postgres, err = pgschema.ParseConfig(address); err != nil {
		return c, err
	}
	place := registerPlace{ca: filepath.Join(dir, "tls", "ca.pem"), cert: filepath.Join(dir, "tls", devstack.WorkerCertificate+".pem"),
		key: filepath.Join(dir, "tls", devstack.WorkerCertificate+"-key.pem")}
	tls, err := place.tls()
	if err != nil {
		return c, err
	}
	c.Register = config.RegisterClient{URL: at.Register, LogicalAddress: registerAddress, TLS: tls, Codes: register.DefaultCodes()}
	c.CallsPerSecond = at.RegisterLimit
	c.Source, c.Pepper, c.ReadLag = "urn:hsaid:"+devstack.WorkerHSAID, []byte(event.DevelopmentPepper), devReadLag
	c.AuditKey, err = devstack.ReadAuditKey(dir)
	return c, err
}
