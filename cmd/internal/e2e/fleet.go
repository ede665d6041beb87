package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"contactsync/cmd/internal/devstack"
	"contactsync/consent/event"
	"contactsync/consent/kafkatest"
	"contactsync/consent/pgcluster"
	"contactsync/consent/pgschema"
	"contactsync/contracts/mockregister"
)

// rolePassword is every role's: the cluster goes with the test.
const rolePassword = "a password for the test only"

// auditKey is that of all services.
const auditKey = "an audit key of 32 characters or more, for the test only"

// Fleet is the services as processes of their own on PostgreSQL and Apache Kafka, with links between them that can be cut. Not on
// the in-process broker: that one keeps a member of a group for ever whose connection broke while it was joining.
type Fleet struct {
	Dir      string // holds tls/
	Postgres *pgcluster.Cluster
	Broker   *Service
	Register *Service
	Portal   *Service
	Workers  []*Service
	// Links by name: worker-register, worker-postgres, portal-postgres, register-postgres, kafka (of all clients).
	Links map[string]*Link
	// At tells the ways that no fault touches.
	At devstack.Endpoints
	// Admin is where the register's faults are dialled.
	Admin string

	t            testing.TB
	cluster      pgcluster.Config
	kafkaPort    int
	controller   int // port of Apache Kafka's controller
	registerPort int
	ops          map[*Service]string
}

// FleetConfig says what fleet to start.
type FleetConfig struct {
	Workers int
	Persons int // generated ones
	// Env is added to every service's environment, such as CONTACTSYNC_PUSH_LEASE=5s.
	Env []string
}

// StartFleet starts everything and waits until all of it is ready. It ends with the test. Where Apache Kafka is missing the test
// is skipped, or fails if CI=true.
func StartFleet(t testing.TB, c FleetConfig) *Fleet {
	t.Helper()
	f := startGround(t)
	f.migrate(c.Persons)
	f.grant(devstack.WorkerHSAID, devstack.PortalHSAID, devstack.JournalHSAID)
	f.registerPort = freePort(t)
	f.link("worker-register", local(f.registerPort))
	for _, name := range []string{"worker-postgres", "portal-postgres", "register-postgres"} {
		f.link(name, hostOf(t, f.Postgres.URL()))
	}
	f.At.Postgres, f.At.Register = f.Postgres.URL(), "https://"+local(f.registerPort)
	f.topics("")
	f.newServices(c)
	for _, s := range f.services() {
		f.must(s.Start())
	}
	for _, s := range f.services() {
		f.AwaitReady(s)
	}
	return f
}

// startGround starts what the services stand on: PostgreSQL with an empty database, Apache Kafka without topics, certificates.
func startGround(t testing.TB) *Fleet {
	t.Helper()
	kafkatest.NeedsApache(t)
	f := &Fleet{t: t, Dir: t.TempDir(), Links: map[string]*Link{}, ops: map[*Service]string{}}
	_, err := devstack.PrepareCertificates(filepath.Join(f.Dir, "tls"), time.Now())
	f.must(err)
	f.startPostgres()
	f.startBroker()
	return f
}

func (f *Fleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *Fleet) services() []*Service { return append([]*Service{f.Register, f.Portal}, f.Workers...) }

func (f *Fleet) link(name, to string) { f.Links[name] = NewLink(f.t, to) }

func (f *Fleet) startPostgres() {
	f.t.Helper()
	f.cluster = pgcluster.Config{Dir: filepath.Join(f.Dir, "postgres"), Port: freePort(f.t), Owner: "contactsync", Password: rolePassword,
		Database: "contactsync", Durable: true, Binaries: os.Getenv(pgcluster.BinariesEnv)}
	err := f.RestartPostgres()
	if errors.Is(err, pgcluster.ErrNoBinaries) && os.Getenv("CI") != "true" {
		f.t.Skip(err)
	}
	f.must(err)
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout) // the test's own has ended
		defer cancel()
		if err := f.Postgres.Stop(ctx); err != nil {
			f.t.Error(err)
		}
	})
}

// migrate runs the command that a user would.
func (f *Fleet) migrate(persons int) {
	f.t.Helper()
	file := filepath.Join(f.Dir, devstack.PersonsFile)
	cmd := exec.Command(Binary(f.t), "migrate", "--test-persons", strconv.Itoa(persons), "--persons-file", file)
	cmd.Env = f.ownerEnv()
	for _, role := range []string{"PORTAL", "WORKER", "SUPPORT", "REGISTER", "AUDITOR"} {
		cmd.Env = append(cmd.Env, "CONTACTSYNC_"+role+"_DB_PASSWORD="+rolePassword)
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("migrate: %v: %s", err, output)
	}
}

// grant lets the systems do everything at the register.
func (f *Fleet) grant(systems ...string) {
	f.t.Helper()
	for _, system := range systems {
		cmd := exec.Command(Binary(f.t), append([]string{"access", "grant", "--may", "protected,support,write", system}, mockregister.Contracts()...)...)
		cmd.Env = f.ownerEnv()
		if output, err := cmd.CombinedOutput(); err != nil {
			f.t.Fatalf("access: %v: %s", err, output)
		}
	}
}

func (f *Fleet) ownerEnv() []string {
	return []string{"CONTACTSYNC_POSTGRES_URL=postgres://contactsync@" + hostOf(f.t, f.Postgres.URL()) + "/contactsync?sslmode=disable",
		"CONTACTSYNC_POSTGRES_PASSWORD=" + rolePassword}
}

// RestartPostgres starts the cluster, on the same folder and port as before.
func (f *Fleet) RestartPostgres() error {
	cluster, err := pgcluster.Start(f.t.Context(), f.cluster)
	if err != nil {
		return err
	}
	f.Postgres = cluster
	return nil
}

// KillPostgres ends all its processes without a warning, and waits for their end.
func (f *Fleet) KillPostgres() {
	f.Postgres.Kill()
	<-f.Postgres.Exited()
}

// startBroker makes the link first: its address is what the broker tells its clients.
func (f *Fleet) startBroker() {
	f.t.Helper()
	ports := kafkatest.FreePorts(f.t, 2)
	f.kafkaPort, f.controller = ports[0], ports[1]
	f.link("kafka", local(f.kafkaPort))
	data, advertised := filepath.Join(f.Dir, "kafka"), f.Links["kafka"].Address()
	f.Broker = NewService(f.t, "broker", func() *exec.Cmd {
		return kafkatest.ApacheCommand(data, f.kafkaPort, f.controller, "KAFKA_ADVERTISED="+advertised)
	})
	f.At.Kafka = advertised
	f.must(f.RestartBroker())
}

// RestartBroker starts the broker, on the same data and port as before, and waits until it listens.
func (f *Fleet) RestartBroker() error {
	if err := f.Broker.Start(); err != nil {
		return err
	}
	return f.until("the broker listens", func() error {
		conn, err := net.Dial("tcp", local(f.kafkaPort))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// AwaitReady waits until a service's /readyz says so.
func (f *Fleet) AwaitReady(s *Service) {
	f.t.Helper()
	f.await(s.Name+" is ready", func() error {
		if s.Ended() {
			f.t.Fatalf("%s has ended: %s", s.Name, tail(s.Log(), 1000))
		}
		return f.Ready(s)
	})
}

// Ready asks a service's /readyz.
func (f *Fleet) Ready(s *Service) error {
	response, err := http.Get("http://" + f.ops[s] + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

// Ops is the address of a service's ops listener.
func (f *Fleet) Ops(s *Service) string { return "http://" + f.ops[s] }

func (f *Fleet) await(what string, ask func() error) {
	f.t.Helper()
	f.must(f.until(what, ask))
}

// until asks again and again until the answer is nil.
func (f *Fleet) until(what string, ask func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(readyTimeout)
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-f.t.Context().Done():
			return f.t.Context().Err()
		case <-deadline:
			return fmt.Errorf("%s: not within %v: %w", what, readyTimeout, err)
		}
	}
}

// topics makes the topics of an installation.
func (f *Fleet) topics(prefix string) {
	f.t.Helper()
	cmd := exec.Command(Binary(f.t), "topics")
	cmd.Env = []string{"CONTACTSYNC_KAFKA_BROKERS=" + f.At.Kafka, "CONTACTSYNC_KAFKA_PREFIX=" + prefix}
	if output, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("topics: %v: %s", err, output)
	}
}

// newServices makes one register, one portal and the workers, each with the variables it needs and no others.
func (f *Fleet) newServices(c FleetConfig) {
	f.t.Helper()
	f.Admin = "http://" + local(freePort(f.t))
	f.Register = f.newService("register", "register", f.registerEnv(), c.Env)
	f.Portal = f.newService("portal", "portal", f.portalEnv(), c.Env)
	for i := range c.Workers {
		f.Workers = append(f.Workers, f.NewWorker(fmt.Sprintf("worker%d", i), c.Env...))
	}
}

// NewWorker returns one more worker, which is not running yet, with variables that win over those that fit the fleet.
func (f *Fleet) NewWorker(name string, env ...string) *Service {
	f.t.Helper()
	return f.newService(name, "worker", f.workerEnv(), env)
}

func (f *Fleet) newService(name, service string, env, more []string) *Service {
	f.t.Helper()
	binary, ops := Binary(f.t), local(freePort(f.t))
	env = append(append(env, "CONTACTSYNC_OPS_LISTEN="+ops), more...)
	s := NewService(f.t, name, func() *exec.Cmd {
		cmd := exec.Command(binary, service)
		cmd.Env = env
		return cmd
	})
	f.ops[s] = ops
	return s
}

func (f *Fleet) tls(name string) string { return filepath.Join(f.Dir, "tls", name+".pem") }

func (f *Fleet) postgresEnv(link, role string) []string {
	return []string{"CONTACTSYNC_POSTGRES_URL=postgres://" + role + "@" + f.Links[link].Address() + "/contactsync?sslmode=disable",
		"CONTACTSYNC_POSTGRES_PASSWORD=" + rolePassword}
}

func (f *Fleet) registerEnv() []string {
	return append(f.postgresEnv("register-postgres", pgschema.RoleRegister),
		"CONTACTSYNC_REGISTER_LISTEN="+local(f.registerPort),
		"CONTACTSYNC_REGISTER_ADMIN_LISTEN="+strings.TrimPrefix(f.Admin, "http://"),
		"CONTACTSYNC_REGISTER_SERVER_CERT_FILE="+f.tls("register"), "CONTACTSYNC_REGISTER_SERVER_KEY_FILE="+f.tls("register-key"),
		"CONTACTSYNC_REGISTER_CLIENT_CA_FILE="+f.tls("ca"), "CONTACTSYNC_AUDIT_KEY="+auditKey)
}

func (f *Fleet) clientEnv(certificate, hsaID string) []string {
	return []string{
		"CONTACTSYNC_KAFKA_BROKERS=" + f.At.Kafka, "CONTACTSYNC_HSA_ID=" + hsaID, "CONTACTSYNC_PEPPER=" + event.DevelopmentPepper,
		"CONTACTSYNC_AUDIT_KEY=" + auditKey,
		"CONTACTSYNC_REGISTER_URL=https://" + f.Links["worker-register"].Address(), "CONTACTSYNC_REGISTER_CA_FILE=" + f.tls("ca"),
		"CONTACTSYNC_REGISTER_CERT_FILE=" + f.tls(certificate), "CONTACTSYNC_REGISTER_KEY_FILE=" + f.tls(certificate+"-key"),
	}
}

func (f *Fleet) workerEnv() []string {
	env := append(f.postgresEnv("worker-postgres", pgschema.RoleWorker), f.clientEnv("worker", devstack.WorkerHSAID)...)
	return append(env, "CONTACTSYNC_REGISTER_VERSION_SETTLE=0s") // our register gives no version twice
}

func (f *Fleet) portalEnv() []string {
	env := append(f.postgresEnv("portal-postgres", pgschema.RolePortal), f.clientEnv("portal", devstack.PortalHSAID)...)
	return append(env, "CONTACTSYNC_PORTAL_LISTEN="+local(freePort(f.t)), "CONTACTSYNC_PORTAL_KEY="+strings.Repeat("k", 32),
		"CONTACTSYNC_PORTAL_SECURE=false", "CONTACTSYNC_PORTAL_PERSONS_FILE="+filepath.Join(f.Dir, "persons.json"))
}

func hostOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
