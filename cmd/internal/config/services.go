package config

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgschema"
	"contactsync/consent/portal"
	"contactsync/consent/stream"
	"contactsync/contracts"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/rivta"
	"contactsync/sync/push"
	"contactsync/sync/register"
)

// Common is what every service reads.
type Common struct {
	LogLevel slog.Level
	Ops      string // host:port
	Postgres *pgxpool.Config
}

func readCommon(r *Reader, role string) Common {
	c := Common{Ops: r.Address(Variable{Name: "OPS_LISTEN", Default: "127.0.0.1:9400", Meaning: "host:port of /livez, /readyz and /metrics"})}
	level := r.Choice(Variable{Name: "LOG_LEVEL", Default: "info", Meaning: "debug, info, warn or error"}, "debug", "info", "warn", "error")
	_ = c.LogLevel.UnmarshalText([]byte(level)) // one of the words
	c.Postgres = readPostgres(r, role)
	return c
}

// PoolSize is how many connections to PostgreSQL a service has unless told otherwise: for a worker, 16 pushes, 6 partitions, the
// relay's own and one to spare.
const PoolSize = 24

func readPostgres(r *Reader, role string) *pgxpool.Config {
	v := Variable{Name: "POSTGRES_URL", Meaning: "postgres://USER@host:port/database of a user with the rights of " + role}
	u := r.URL(v, "postgres", "postgresql")
	password := r.Text(Variable{Name: "POSTGRES_PASSWORD", Optional: true, Secret: true, Meaning: "the user's password"})
	if u == nil {
		return nil
	}
	if _, inAddress := u.User.Password(); inAddress || u.Query().Has("password") || u.Query().Has("sslpassword") {
		r.Faultf(v, "holds a password: give that as %sPOSTGRES_PASSWORD_FILE, as addresses are shown", prefix)
		r.values[v.Name] = "(with a password)"
		return nil
	}
	c, err := pgschema.ParseConfig(u.String())
	if err != nil {
		r.Faultf(v, "is no address of PostgreSQL")
		return nil
	}
	if !u.Query().Has("pool_max_conns") {
		c.MaxConns = PoolSize
	}
	if password != "" {
		c.ConnConfig.Password = password
	}
	c.ConnConfig.ConnectTimeout = 3 * time.Second
	for name, value := range sessionSettings() {
		if _, chosen := c.ConnConfig.RuntimeParams[name]; !chosen {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	return c
}

// sessionSettings let PostgreSQL end a session whose client has gone without a word, as a machine does that loses power: it would
// hold its locks, and everybody else's withdrawals up, for hours.
func sessionSettings() map[string]string {
	return map[string]string{"idle_in_transaction_session_timeout": "10s", "tcp_user_timeout": "10s",
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
}

func readKafka(r *Reader) stream.Config {
	c := stream.Config{
		Brokers: r.Addresses(Variable{Name: "KAFKA_BROKERS", Meaning: "host:port of Kafka brokers, separated by commas"}),
	}
	readKafkaRest(r, &c)
	return c
}

// readKafkaRest reads all but where the brokers are.
func readKafkaRest(r *Reader, c *stream.Config) {
	c.Prefix = r.Text(Variable{Name: "KAFKA_PREFIX", Optional: true, Meaning: "begins the names of all topics and groups, where several installations share a cluster"})
	c.TLS = readKafkaTLS(r)
	c.Login = readLogin(r)
}

func readKafkaTLS(r *Reader) *tls.Config {
	on := r.Flag(Variable{Name: "KAFKA_TLS", Default: "false", Meaning: "true: speak TLS with the brokers"})
	ca := Variable{Name: "KAFKA_CA", Optional: true, Meaning: "certificates (PEM) of the brokers' authority; the system's if empty"}
	roots := r.authorities(ca)
	pair := r.certificate(Variable{Name: "KAFKA_CERT", Optional: true, Meaning: "our client certificate (PEM), where the brokers ask for one"},
		Variable{Name: "KAFKA_KEY", Optional: true, Secret: true, Meaning: "the key (PEM) of that certificate"})
	if !on {
		if roots != nil || pair != nil {
			r.Faultf(ca, "and %[1]sKAFKA_CERT need %[1]sKAFKA_TLS=true", prefix)
		}
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: pair, RootCAs: roots}
}

func readLogin(r *Reader) *stream.Login {
	l := stream.Login{Mechanism: stream.Mechanism(r.Choice(Variable{Name: "KAFKA_MECHANISM", Optional: true,
		Meaning: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: no login"}, string(stream.Plain), string(stream.ScramSHA256), string(stream.ScramSHA512)))}
	user := Variable{Name: "KAFKA_USER", Optional: true, Meaning: "who logs in"}
	l.User = r.Text(user)
	l.Password = r.Text(Variable{Name: "KAFKA_PASSWORD", Optional: true, Secret: true, Meaning: "the password of that user"})
	given := 0
	for _, text := range []string{string(l.Mechanism), l.User, l.Password} {
		if text != "" {
			given++
		}
	}
	switch given {
	case 0:
		return nil
	case 3:
		return &l
	}
	r.Faultf(user, "and %[1]sKAFKA_MECHANISM and %[1]sKAFKA_PASSWORD belong together: give all three or none", prefix)
	return nil
}

func readIdentity(r *Reader) (source string, pepper []byte) {
	id := Variable{Name: "HSA_ID", Meaning: "this system's HSA-id, the source of its events"}
	hsaID := r.Text(id)
	source, ok := event.SourceOf(hsaID)
	if hsaID != "" && !ok {
		r.Faultf(id, "is no HSA-id such as SE2321000016-A1")
	}
	v := Variable{Name: "PEPPER", Secret: true, Meaning: "at least 32 characters, the same for portal, worker and support: keys the pseudonyms"}
	text := r.Text(v)
	if text != "" && len(text) < 32 {
		r.Faultf(v, "is shorter than 32 characters")
	}
	return source, []byte(text)
}

func readAuditKey(r *Reader) audit.Key {
	v := Variable{Name: "AUDIT_KEY", Secret: true,
		Meaning: "at least 32 characters, the same everywhere and for as long as the logs are kept: makes changes of the audit logs show"}
	text := r.Text(v)
	key, err := audit.NewKey(text)
	if text != "" && err != nil {
		r.Faultf(v, "is shorter than 32 characters")
	}
	return key
}

// RegisterClient is how the register is reached.
type RegisterClient struct {
	URL            string
	Path           string // of its SOAP operations; empty: our own register's
	LogicalAddress string
	TLS            *tls.Config
	Codes          map[contact.Channel]register.Code
}

// SOAP is how its SOAP operations are called.
func (c RegisterClient) SOAP(h rivta.Doer) rivta.ClientConfig {
	return rivta.ClientConfig{BaseURL: c.URL, Path: c.Path, LogicalAddress: c.LogicalAddress, HTTP: h}
}

// NationalRegister is the logical address of the national service, which the mock answers to as well.
const NationalRegister = "SE165565594230-1000"

func readLogicalAddress(r *Reader) string {
	return r.Text(Variable{Name: "REGISTER_LOGICAL_ADDRESS", Default: NationalRegister, Meaning: "HSA-id by which the register is addressed"})
}

func readRegisterClient(r *Reader) RegisterClient {
	c := RegisterClient{}
	v := Variable{Name: "REGISTER_URL", Meaning: "https://host:port of the register"}
	switch u := r.URL(v, "https"); {
	case u == nil:
	case u.User != nil:
		r.Faultf(v, "holds a user: the register knows us by our certificate, and addresses are shown")
		r.values[v.Name] = "(with a user)"
	default:
		c.URL = u.String()
	}
	path := Variable{Name: "REGISTER_PATH", Default: rivta.DefaultPath,
		Meaning: "path of the register's SOAP operations, with {domain} (such as strategicresourcemanagement/persons/person), {operation} and {major} filled in"}
	if c.Path = r.Text(path); !rivta.IsPath(c.Path) {
		r.Faultf(path, "is no path such as /vp/{domain}/{operation}/{major}/rivtabp21")
	}
	c.LogicalAddress = readLogicalAddress(r)
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	c.TLS.RootCAs = r.authorities(Variable{Name: "REGISTER_CA", Meaning: "certificates (PEM) of the authority that the register's own is from"})
	cert := Variable{Name: "REGISTER_CERT", Meaning: "our client certificate (PEM), with its chain"}
	key := Variable{Name: "REGISTER_KEY", Secret: true, Meaning: "the key (PEM) of our client certificate"}
	c.TLS.Certificates = r.certificate(cert, key)
	c.Codes = readCodes(r)
	return c
}

// readCodes: the national code system is not public, so the pairs are configuration.
func readCodes(r *Reader) map[contact.Channel]register.Code {
	v := Variable{Name: "REGISTER_CODES", Default: "mobile=tel/mobile,email=mail/personal",
		Meaning: "contactType/use of the resident's own entry, for each channel"}
	codes := map[contact.Channel]register.Code{}
	for _, item := range r.List(v) {
		channel, pair, _ := strings.Cut(item, "=")
		kind, use, _ := strings.Cut(pair, "/")
		codes[contact.Channel(channel)] = register.Code{Type: kind, Use: use}
	}
	if err := register.CheckCodes(codes); err != nil {
		r.Faultf(v, "gives no pair of its own to each of mobile and email")
		return nil
	}
	return codes
}

// MostCallsPerSecond is the highest limit of register calls that can be kept to.
const MostCallsPerSecond = 10_000

// Worker is what the service `worker` reads.
type Worker struct {
	Common
	Kafka          stream.Config
	Session        time.Duration
	ShareAhead     time.Duration
	Source         string
	Pepper         []byte
	AuditKey       audit.Key
	Register       RegisterClient
	ReadLag        time.Duration
	VersionSettle  time.Duration
	CallsPerSecond int
	Bulk           bool
	Concurrency    int
	Lease          time.Duration
	CallTimeout    time.Duration
}

// ReadWorker reads the worker's variables; the reader has the faults.
func ReadWorker(r *Reader) Worker {
	w := Worker{Common: readCommon(r, "contactsync_worker"), Kafka: readKafka(r), Register: readRegisterClient(r)}
	w.Source, w.Pepper = readIdentity(r)
	w.AuditKey = readAuditKey(r)
	w.Session = r.Duration(Variable{Name: "KAFKA_SESSION_TIMEOUT", Default: "10s", Meaning: "how long a killed worker keeps its partitions"}, 6*time.Second, time.Minute)
	w.ShareAhead = r.Duration(Variable{Name: "SHARE_AHEAD", Default: "5s",
		Meaning: "how far a share may lie ahead of PostgreSQL's clock before it is refused as clock_ahead"}, time.Second, time.Hour)
	w.ReadLag = readReadLag(r)
	settle := Variable{Name: "REGISTER_VERSION_SETTLE", Default: "2s",
		Meaning: "how long after the second of its version a record may still change; 0s only for registers whose versions are never given twice, such as the mock"}
	w.VersionSettle = r.Duration(settle, 0, 10*time.Second)
	w.Bulk = r.Choice(Variable{Name: "REGISTER_CONTRACT", Default: "personv4",
		Meaning: "how decisions are pushed: personv4, one person a call, as the national service takes them; contactsv1, up to a thousand decisions a call"},
		"personv4", "contactsv1") == "contactsv1"
	if w.Bulk && w.VersionSettle > 0 {
		r.Faultf(settle, "must be 0s with CONTACTSYNC_REGISTER_CONTRACT=contactsv1: it changes a record unseen, which who read it in the same second would undo")
	}
	w.CallsPerSecond = readCallsPerSecond(r)
	w.Concurrency = r.Number(Variable{Name: "PUSH_CONCURRENCY", Default: strconv.Itoa(push.Concurrency), Meaning: "persons worked on at once"}, 1, 1024)
	lease := Variable{Name: "PUSH_LEASE", Default: "10s", Meaning: "how long a person belongs to the worker that took it; those of a killed worker wait so long"}
	w.Lease = r.Duration(lease, time.Second, time.Minute)
	w.CallTimeout = r.Duration(Variable{Name: "PUSH_CALL_TIMEOUT", Default: "4s", Meaning: "of one call to the register; at most 4/10 of the lease"}, 100*time.Millisecond, 20*time.Second)
	if w.Lease > 0 && w.CallTimeout > w.Lease*4/10 {
		r.Faultf(lease, "is too short: a read and a write of %v each must end inside it", w.CallTimeout)
	}
	return w
}

func readReadLag(r *Reader) time.Duration {
	return r.Duration(Variable{Name: "REGISTER_READ_LAG", Default: "3s", Meaning: "how late a write may show in the register's reads"}, 0, time.Minute)
}

func readCallsPerSecond(r *Reader) int {
	return r.Number(Variable{Name: "REGISTER_CALLS_PER_SECOND", Default: "0",
		Meaning: "calls that the register allows all workers together, as each of them is told; 10 for the national service, 0: no limit"}, 0, MostCallsPerSecond)
}

// Portal is what the service `portal` reads.
type Portal struct {
	Common
	Listen   string
	Kafka    stream.Config
	Source   string
	Pepper   []byte
	AuditKey audit.Key
	Register RegisterClient
	Key      []byte
	Secure   bool
	Persons  []portal.Person
}

// ReadPortal reads the portal's variables; the reader has the faults.
func ReadPortal(r *Reader) Portal {
	p := Portal{Common: readCommon(r, "contactsync_portal"), Kafka: readKafka(r), Register: readRegisterClient(r)}
	p.Source, p.Pepper = readIdentity(r)
	p.AuditKey = readAuditKey(r)
	p.Listen = r.Address(Variable{Name: "PORTAL_LISTEN", Meaning: "host:port of the residents' pages, plain HTTP behind a proxy that speaks TLS"})
	key := Variable{Name: "PORTAL_KEY", Secret: true, Meaning: "at least 32 characters, the same over restarts and instances: seals the forms"}
	p.Key = []byte(r.Text(key))
	if len(p.Key) > 0 && len(p.Key) < 32 {
		r.Faultf(key, "is shorter than 32 characters")
	}
	p.Secure = r.Flag(Variable{Name: "PORTAL_SECURE", Default: "true", Meaning: "false only where the pages are reached without TLS, to try things out"})
	persons := Variable{Name: "PORTAL_PERSONS", ShownAs: "(a list)", Meaning: "the test persons one may be, as `migrate --persons-file` writes them; login by a provider comes later"}
	p.Persons = readPersons(r, persons)
	return p
}

func readPersons(r *Reader, v Variable) []portal.Person {
	var all []mockregister.TestPerson
	if text := r.Text(v); text != "" && json.Unmarshal([]byte(text), &all) != nil {
		r.Faultf(v, "is no list of test persons")
	}
	return TestPersons(all)
}

// mostPersons bounds the list that one may choose from: the named ones come first.
const mostPersons = 100

// TestPersons are the persons that one may choose to be at the portal.
func TestPersons(all []mockregister.TestPerson) []portal.Person {
	all = all[:min(len(all), mostPersons)]
	shown := make([]portal.Person, len(all))
	for i, p := range all {
		shown[i] = portal.Person{Name: p.Name, State: p.State, ID: contact.KnownPersonID(p.Root, p.Extension)}
	}
	return shown
}

// Register is what the service `register` reads.
type Register struct {
	Common
	Listen         string
	Admin          string // empty: off
	LogicalAddress string
	TLS            *tls.Config
	WholeSeconds   bool
	Off            []contracts.Contract
	Kafka          stream.Config // without brokers: signals of changes are not published
	Pepper         []byte        // of the pseudonyms, where they are
	AuditKey       audit.Key
}

// ReadRegister reads the mock register's variables; the reader has the faults.
func ReadRegister(r *Reader) Register {
	c := Register{Common: readCommon(r, "contactsync_register")}
	c.Listen = r.Address(Variable{Name: "REGISTER_LISTEN", Meaning: "host:port of the service contracts, over mutual TLS"})
	c.Admin = r.Address(Variable{Name: "REGISTER_ADMIN_LISTEN", Optional: true, Meaning: "host:port where faults are dialled; whoever reaches it rules the register. Empty: off"})
	c.LogicalAddress = readLogicalAddress(r)
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert}
	c.TLS.Certificates = r.certificate(Variable{Name: "REGISTER_SERVER_CERT", Meaning: "the register's certificate (PEM), with its chain"},
		Variable{Name: "REGISTER_SERVER_KEY", Secret: true, Meaning: "the key (PEM) of the register's certificate"})
	c.TLS.ClientCAs = r.authorities(Variable{Name: "REGISTER_CLIENT_CA", Meaning: "certificates (PEM) of the authorities that callers' certificates are from"})
	c.AuditKey = readAuditKey(r)
	c.WholeSeconds = r.Choice(Variable{Name: "REGISTER_VERSIONS", Default: "unique",
		Meaning: "unique: none is given twice; seconds: two writes within a second may share one, as at the national service"}, "unique", "seconds") == "seconds"
	c.Off = readOff(r)
	c.Kafka = stream.Config{
		Brokers: r.Addresses(Variable{Name: "KAFKA_BROKERS", Optional: true, Meaning: "host:port of Kafka brokers, separated by commas, to publish on what changed; empty: not published"}),
	}
	readKafkaRest(r, &c.Kafka)
	pepper := Variable{Name: "PEPPER", Optional: true, Secret: true, Meaning: "at least 32 characters, the same everywhere: keys the pseudonyms. Needed with KAFKA_BROKERS"}
	c.Pepper = []byte(r.Text(pepper))
	if len(c.Kafka.Brokers) > 0 && len(c.Pepper) < 32 {
		r.Faultf(pepper, "is missing or shorter than 32 characters")
	}
	return c
}

// readOff: nothing goes off by itself when its date comes, which may be a holiday. Somebody looks who still calls, and says so.
func readOff(r *Reader) []contracts.Contract {
	v := Variable{Name: "REGISTER_OFF", Optional: true,
		Meaning: "deprecated contracts that are no longer served, such as GetPersonContactInformation/3, separated by commas"}
	var off []contracts.Contract
	for _, item := range r.List(v) {
		c, err := contracts.ParseContract(item)
		if life, ok := contracts.Of(c); err != nil || !ok || life.Successor == 0 {
			r.Faultf(v, "names %q, which is no deprecated contract with its major, such as GetPersonContactInformation/3", item)
			continue
		}
		off = append(off, c)
	}
	return off
}
