package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kfake"

	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/devstack"
	"contactsync/cmd/internal/messenger"
	"contactsync/cmd/internal/worker"
	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgcluster"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

// chaos is one run: all parts in this process, and links between them.
type chaos struct {
	*scene
	seed    uint64
	ground  *chaosGround
	broker  *chaosBroker
	mock    *mockregister.Register
	seconds bool // versions are whole seconds
	lag     time.Duration
	bulk    bool // the workers push by contactsv1
	history *history
	what    string       // is so in this run
	clock   atomic.Int64 // by how much the workers' clock is ahead
	said    *saying
	metrics atomic.Pointer[prometheus.Registry] // of the youngest worker
	mu      sync.Mutex                          // of the roles
	workers []*part
	portal  *part
}

// Short, so that a run is, and in the same proportions as the real ones.
const (
	chaosLease   = raceSlows * time.Second
	chaosCall    = raceSlows * 400 * time.Millisecond
	chaosSession = 6 * time.Second // Apache Kafka takes no less
)

// saying is what all parts say.
type saying struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *saying) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (g *chaosGround) start(t *testing.T, seed uint64, broker *chaosBroker) *chaos {
	t.Helper()
	c := &chaos{seed: seed, ground: g, broker: broker, said: &saying{}}
	c.scene = &scene{t: t, dir: t.TempDir(), on: broker.Prefix, log: c.said.String}
	c.at.Postgres, c.at.Kafka = g.postgres.database(t), broker.Brokers[0]
	if err := os.Symlink(filepath.Join(g.dir, "tls"), filepath.Join(c.dir, "tls")); err != nil {
		t.Fatal(err)
	}
	c.drawWorld()
	c.serveRegister()
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		promhttp.HandlerFor(c.metrics.Load(), promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}))
	t.Cleanup(ops.Close)
	c.at.Ops = ops.URL
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last lines of all parts:\n%s", tail(c.said.String(), 4000))
			keep(t, "all", c.said.String())
			keep(t, "story", c.story())
		}
	})
	c.workers = []*part{c.startWorker(), c.startWorker()}
	c.portal = c.startPortal()
	return c
}

// story is what became of every person, step by step: what was decided, what the record showed, who called the register, and what the audit tells.
func (c *chaos) story() string {
	type step struct{ Text string }
	steps := rows[step](c.t, c.at.Postgres, `
		select format('%s %s %s', extension, to_char(at, 'HH24:MI:SS.MS'), what) from (
			select extension, at, format('shows mobile %s, email %s', mobile, email) as what from chaos.history
			union all
			select extension, at, format('%s %s by %s, %s: %s, version %s', contract, action, caller, correlation, outcome, version) from register.access_log
			union all
			select p.extension, a.at, format('%s %s %s: %s %s, version %s', a.action, a.channel, a.ground, a.outcome, a.reason, a.version)
			from sync.audit a join sync.person p using (person_id)) as steps
		order by extension, at`)
	var text strings.Builder
	for _, d := range c.history.decisions {
		what := "refused " + string(d.refused)
		if share, no := d.event.Share, d.event.Withdrawal; share != nil {
			what = fmt.Sprint(share.Revision, " Yes ", share.Value.Reveal())
		} else if no != nil {
			what = fmt.Sprint(no.Revision, " No, scoped ", no.Scoped)
		}
		fmt.Fprintf(&text, "%s decides on %s in %s: %s\n", d.key.person.RevealExtension(), d.key.channel, d.id, what)
	}
	for _, s := range steps {
		text.WriteString(s.Text + "\n")
	}
	return text.String()
}

func (c *chaos) serveRegister() {
	c.t.Helper()
	pool := c.pool(c.at.Postgres)
	var err error
	c.mock, err = mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: time.Now, Log: c.logger("register"),
		LogicalAddress: "SE165565594230-1000", WholeSeconds: c.seconds, Access: mockregister.MayAll(devstack.WorkerHSAID, devstack.JournalHSAID)})
	c.must(err)
	persons, err := c.mock.Seed(c.t.Context(), chaosPersons)
	c.must(err)
	list, err := json.Marshal(persons)
	c.must(errors.Join(err, os.WriteFile(filepath.Join(c.dir, devstack.PersonsFile), list, 0o600)))
	server := httptest.NewUnstartedServer(c.mock.Handler())
	server.TLS, err = c.ground.certs.RegisterTLS()
	c.must(err)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	c.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout) // the test's own has ended
		defer cancel()
		_ = c.mock.Faults().Close(ctx)
	})
	c.at.Register = server.URL
}

func (c *chaos) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *chaos) logger(part string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(c.said, nil)).With("part", part)
}

func (c *chaos) pool(address string) *pgxpool.Pool {
	c.t.Helper()
	pool, err := pgxpool.New(c.t.Context(), address)
	c.must(err)
	c.t.Cleanup(func() { go pool.Close() }) // whoever was cut off may still hold a connection
	return pool
}

// part is one that can be cut off and killed.
type part struct {
	links []*Link
	stop  context.CancelFunc
	ended chan struct{}
}

// end stops a part in good order.
func (p *part) end() {
	p.stop()
	<-p.ended
}

// kill cuts a part off from everything in the middle of what it does, and leaves it to itself. What it has sent may still arrive.
func (p *part) kill() {
	for _, l := range p.links {
		l.Cut()
	}
	p.stop()
}

// runs starts a part. If it is killed, nobody waits for its end before the last run's.
func (c *chaos) runs(links []*Link, run func(context.Context) error) *part {
	p := &part{links: links, ended: make(chan struct{})}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.WithoutCancel(c.t.Context()))
	c.ground.left.Go(func() {
		defer close(p.ended)
		if err := run(ctx); err != nil {
			c.said.Write([]byte("a part ended: " + err.Error()))
		}
	})
	c.t.Cleanup(p.stop)
	return p
}

func (c *chaos) startWorker() *part {
	c.t.Helper()
	toRegister, toPostgres := NewLink(c.t, hostOf(c.t, c.at.Register)), NewLink(c.t, hostOf(c.t, c.at.Postgres))
	certificate, err := c.ground.certs.ClientTLS(devstack.WorkerCertificate)
	c.must(err)
	certificate.ServerName = "localhost"
	pool := c.pool(through(c.at.Postgres, toPostgres))
	metrics := prometheus.NewRegistry()
	c.metrics.Store(metrics)
	config := worker.Config{Kafka: c.broker.Config, Pool: pool, Pepper: []byte(event.DevelopmentPepper), AuditKey: audit.DevelopmentKey(),
		Source: "urn:hsaid:" + devstack.WorkerHSAID, RegisterURL: "https://" + toRegister.Address(), LogicalAddress: "SE165565594230-1000",
		TLS: certificate, Codes: register.DefaultCodes(), Bulk: c.bulk, Now: c.now, Lease: chaosLease, Session: c.broker.session, Log: c.logger("worker"),
		Metrics: metrics, Push: push.Config{CallTimeout: chaosCall, MaxBackoff: 500 * time.Millisecond, ReadLag: c.lag, Poll: 50 * time.Millisecond}}
	if c.seconds {
		config.Push.VersionSettle, config.Push.VersionZone = 2*time.Second, swedish(c.t) // as the service's own
	}
	w, err := worker.New(config)
	c.must(err)
	return c.runs([]*Link{toRegister, toPostgres}, w.Run)
}

func swedish(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func (c *chaos) now() time.Time { return time.Now().Add(time.Duration(c.clock.Load())) }

// startPortal starts the portal's relay and its reader of outcomes. Nobody looks at its pages.
func (c *chaos) startPortal() *part {
	c.t.Helper()
	link := NewLink(c.t, hostOf(c.t, c.at.Postgres))
	pool := c.pool(through(c.at.Postgres, link))
	store, err := consentpg.New(consentpg.Config{Pool: pool, AuditKey: audit.DevelopmentKey(), Source: "urn:hsaid:" + devstack.PortalHSAID,
		Pepper: []byte(event.DevelopmentPepper), Now: time.Now})
	c.must(err)
	m, err := messenger.New(messenger.Config{Kafka: c.broker.Config, Pool: pool, Store: store, Log: c.logger("portal"), Told: func(contact.PersonID) {}})
	c.must(err)
	return c.runs([]*Link{link}, m.Run)
}

// through is an address by way of a link.
func through(address string, l *Link) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	u.Host = l.Address()
	return u.String()
}

// chaosPostgres is one cluster for all runs, with a database that each gets a copy of.
type chaosPostgres struct {
	config  pgcluster.Config
	mu      sync.Mutex
	cluster *pgcluster.Cluster
	runs    int
}

func startChaosPostgres(t *testing.T) *chaosPostgres {
	t.Helper()
	p := &chaosPostgres{config: pgcluster.Config{Dir: filepath.Join(t.TempDir(), "postgres"), Port: freePort(t), Owner: "contactsync",
		Password: rolePassword, Database: "contactsync", Durable: true, Binaries: os.Getenv(pgcluster.BinariesEnv)}}
	err := p.start(t.Context())
	if errors.Is(err, pgcluster.ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout) // the test's own has ended
		defer cancel()
		if err := p.cluster.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	p.prepare(t)
	return p
}

func (p *chaosPostgres) start(ctx context.Context) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cluster, err = pgcluster.Start(ctx, p.config)
	return err
}

// kill ends all of PostgreSQL's processes, and starts it again after a while.
func (p *chaosPostgres) kill(ctx context.Context, down time.Duration) error {
	p.cluster.Kill()
	<-p.cluster.Exited()
	if err := wait(ctx, down); err != nil {
		return errors.Join(err, p.start(context.WithoutCancel(ctx)))
	}
	return p.start(ctx)
}

// prepare makes the database that is copied. In it PostgreSQL remembers every change of a record by itself.
func (p *chaosPostgres) prepare(t *testing.T) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), p.cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, s := range database.Schemas() {
		if err := s.Up(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
	}
	_, err = pool.Exec(t.Context(), `
		create schema chaos;
		create table chaos.history (id bigint generated always as identity, at timestamptz default clock_timestamp(), extension text, mobile text, email text);
		create function chaos.remember() returns trigger language plpgsql as $$ begin
			insert into chaos.history (extension, mobile, email) values (new.extension, new.mobile, new.email);
			return null;
		end $$;
		create trigger chaos after update on register.persons for each row execute function chaos.remember()`)
	if err != nil {
		t.Fatal(err)
	}
}

// database makes a copy for one run. It goes with the cluster: whoever was cut off in a run may still be connected.
func (p *chaosPostgres) database(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(p.cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	p.runs++
	name := "run" + strconv.Itoa(p.runs)
	u.Path = "/postgres"
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), `create database `+name+` template contactsync`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		u.Path = "/postgres"
		conn, err := pgx.Connect(context.WithoutCancel(t.Context()), u.String())
		if err == nil {
			_, err = conn.Exec(context.WithoutCancel(t.Context()), `drop database `+name+` with (force)`)
			_ = conn.Close(context.WithoutCancel(t.Context()))
		}
		if err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

// chaosBroker is a broker that can be killed.
type chaosBroker struct {
	stream.Config
	session time.Duration
	kill    func() error
	start   func() error
}

// startFakeBroker starts the broker of one run.
func startFakeBroker(t *testing.T) *chaosBroker {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	var cluster *kfake.Cluster
	b := &chaosBroker{Config: stream.Config{Brokers: []string{local(port)}}, session: time.Second}
	b.kill = func() error { cluster.Close(); return nil }
	b.start = func() (err error) {
		cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.GroupMinSessionTimeout(500*time.Millisecond))
		return err
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.kill() })
	return b.withTopics(t)
}

// startApacheBroker starts the broker of all runs.
func startApacheBroker(t *testing.T) *chaosBroker {
	t.Helper()
	f := &Fleet{t: t, Dir: t.TempDir(), Links: map[string]*Link{}}
	f.startBroker()
	return &chaosBroker{Config: stream.Config{Brokers: []string{f.At.Kafka}}, session: chaosSession,
		kill: func() error { f.Broker.Kill9(); return nil }, start: f.RestartBroker}
}

// withTopics is the broker with topics for one run.
func (b *chaosBroker) withTopics(t *testing.T) *chaosBroker {
	t.Helper()
	one := *b
	one.Prefix = strings.ToLower(strings.NewReplacer("/", "-", " ", "-", "_", "-").Replace(t.Name())) + "."
	eventually(t, "topics are made", func() bool {
		_, err := stream.EnsureTopics(t.Context(), one.Config, stream.Topics())
		return err == nil
	})
	return &one
}

// rows reads what a query gives.
func rows[T any](t *testing.T, address, query string) []T {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // a test that has failed is looked into
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[T])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
