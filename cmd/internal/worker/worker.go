// Package worker puts the sync worker together: Kafka in, desired state, register out, outcomes back.
//
// It owns every goroutine of a worker and waits for all of them. Start with New and Run.
package worker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/cmd/internal/auditing"
	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/eservice"
	"contactsync/consent/event"
	"contactsync/consent/outbox"
	"contactsync/consent/stream"
	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/intake"
	"contactsync/sync/push"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

// Config of a worker. All fields are required unless they say otherwise.
type Config struct {
	Kafka          stream.Config
	Pool           *pgxpool.Pool // on a database with the schema "sync"
	Pepper         []byte        // of the pseudonyms
	AuditKey       audit.Key     // of the audit's MACs
	Source         string        // this worker in its outcomes, urn:hsaid:…
	RegisterURL    string        // https://host:port
	RegisterPath   string        // of its SOAP operations; empty: our own register's
	LogicalAddress string        // of the register
	TLS            *tls.Config   // with the worker's client certificate
	Bulk           bool          // push by contactsv1, up to a thousand decisions a call, instead of by personv4
	CallsPerSecond int           // that the register allows all workers together; 0: as many as there are
	Codes          map[contact.Channel]register.Code
	// RegisterLatency is how long each call is held up before it is sent, to try out a slow register.
	RegisterLatency time.Duration
	Now             func() time.Time // whose verdicts on clocks count; not for measuring
	Lease           time.Duration    // of a claimed person; zero takes the store's default
	Session         time.Duration    // how long a dead worker keeps its partitions; zero takes the stream's default
	ShareAhead      time.Duration    // how far ahead of Now a share may lie; zero takes event.Clock's default
	Rules           eservice.Rules   // may be nil: every e-service may speak for residents and guardians
	Log             *slog.Logger
	Metrics         prometheus.Registerer
	// Push holds settings of the pusher; what it works on is set here.
	Push push.Config
}

// Group is the consumer group of all workers.
const Group = "contactsync-sync"

// outcomesLinger is how long outcomes gather: nobody's detail waits for them, but everybody who decides for the CPU that they take.
const outcomesLinger = 20 * time.Millisecond

// Worker is a sync worker.
type Worker struct {
	Config
	intake    *intake.Intake
	pusher    *push.Pusher
	asker     *push.Asker
	prover    *push.Prover
	relay     *outbox.Relay
	sealer    *audit.Sealer
	publisher *stream.Publisher
	store     *syncpg.Store
}

// New puts a worker together; nothing runs yet.
func New(c Config) (_ *Worker, err error) {
	if c.Log == nil || c.Metrics == nil || c.TLS == nil || c.Now == nil {
		return nil, errors.New("worker: Log, Metrics, TLS and Now are required")
	}
	w := &Worker{Config: c}
	store, err := syncpg.New(syncpg.Config{Pool: c.Pool, Source: c.Source, Pepper: c.Pepper, AuditKey: c.AuditKey, Lease: c.Lease,
		ProofAfter: c.Push.ReadLag, Written: func(context.Context) { w.relay.Wake() }})
	if err != nil {
		return nil, err
	}
	w.store = store
	m, err := newMetrics(c.Metrics, store)
	if err != nil {
		return nil, err
	}
	w.sealer, err = auditing.NewSealer(auditing.SealerConfig{Pool: c.Pool, Log: syncpg.AuditLog(), Key: c.AuditKey, Logger: c.Log, Metrics: c.Metrics})
	if err != nil {
		return nil, err
	}
	if w.publisher, err = stream.NewPublisher(c.Kafka); err != nil {
		return nil, err
	}
	if w.relay, err = outbox.New(outbox.Config{Pool: c.Pool, Schema: "sync", Publisher: w.publisher, Log: c.Log, Linger: outcomesLinger}); err != nil {
		return nil, err
	}
	if err := w.newRegisterSide(store, m); err != nil {
		return nil, errors.Join(err, w.publisher.Close())
	}
	store.Pusher = w.pusher
	w.intake, err = intake.New(intake.Config{Store: store, Log: c.Log, Now: c.Now, Clock: event.Clock{Share: c.ShareAhead}, Rules: c.Rules, Counted: m.countRecord,
		Lost: func(l stream.Loss) { m.lost.Add(float64(max(1, l.To-l.From))) }})
	return w, err
}

// newRegisterSide makes what speaks to the register, over the same connections.
func (w *Worker) newRegisterSide(store *syncpg.Store, m *metrics) (err error) {
	var allowance register.Allowance
	if w.CallsPerSecond > 0 {
		slots := syncpg.NewSlots(w.Pool, w.CallsPerSecond, cmp.Or(w.Push.CallTimeout, push.CallTimeout))
		allowance = push.NewAllowance(slots, func(d time.Duration) { w.pusher.Waited(d) })
	}
	if w.RegisterLatency > 0 {
		allowance = register.HeldUp(allowance, w.RegisterLatency)
	}
	reads, writes := register.HTTPClients(w.TLS, cmp.Or(w.Push.Concurrency, push.Concurrency), allowance)
	profiles, err := w.profiles(m, reads)
	if err != nil {
		return err
	}
	adapter, err := w.adapter(m, reads, writes)
	if err != nil {
		return err
	}
	ahead := register.NewAhead(profiles, adapter)
	changes, err := w.changes(m, reads)
	if err != nil {
		return err
	}
	if w.pusher, err = w.newPusher(store, adapter, ahead, changes); err != nil {
		return err
	}
	w.prover, err = push.NewProver(push.ProverConfig{Store: store, Register: ahead, Log: w.Log, CallTimeout: w.Push.CallTimeout,
		Proved: func(d time.Duration) { m.proved.Observe(d.Seconds()) }, Failed: m.unproved.Inc, Due: w.pusher.Wake})
	if err != nil {
		return err
	}
	w.asker, err = push.NewAsker(push.AskerConfig{Store: store, Register: profiles, Log: w.Log, Answered: w.pusher.Wake, CallTimeout: w.Push.CallTimeout})
	return err
}

func (w *Worker) adapter(m *metrics, reads, writes *http.Client) (*register.PersonV4, error) {
	readClient, err1 := personv4.NewClient(personv4.ClientConfig{ClientConfig: w.client(reads)})
	writeClient, err2 := personv4.NewClient(personv4.ClientConfig{ClientConfig: w.client(writes)})
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	return register.NewPersonV4(register.PersonV4Config{Reads: readClient, Writes: writeClient, Codes: w.Codes, Observe: m.observer("personv4")})
}

// changes is nil where decisions are pushed one person at a time. Its calls may be repeated: the register carries out each once.
func (w *Worker) changes(m *metrics, calls *http.Client) (push.Changes, error) {
	if !w.Bulk {
		return nil, nil
	}
	client, err := contactsv1.NewClient(contactsv1.ClientConfig{BaseURL: w.RegisterURL, HTTP: calls})
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	return register.NewContactsV1(register.ContactsV1Config{Client: client, Observe: m.observer("contactsv1")})
}

func (w *Worker) newPusher(store *syncpg.Store, adapter *register.PersonV4, ahead *register.Ahead, changes push.Changes) (*push.Pusher, error) {
	c := w.Push
	c.Store, c.Register, c.Changes, c.Log, c.RegisterNow = store, adapter, changes, w.Log, w.Now
	if changes == nil { // what needs no read is not read ahead
		c.Records = ahead
	}
	c.Removed = func() { w.prover.Wake() }
	// Asked while running only, when the intake is there.
	c.SharesAllowed = func() bool { return w.intake.Running() }
	return push.New(c)
}

func (w *Worker) profiles(m *metrics, reads *http.Client) (*register.ProfileV5, error) {
	client, err := personprofilev5.NewClient(personprofilev5.ClientConfig{ClientConfig: w.client(reads)})
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	return register.NewProfileV5(register.ProfileV5Config{Client: client, Observe: m.observer("personprofilev5")})
}

func (w *Worker) client(h *http.Client) rivta.ClientConfig {
	return rivta.ClientConfig{BaseURL: w.RegisterURL, Path: w.RegisterPath, LogicalAddress: w.LogicalAddress, HTTP: h}
}

// Check tells whether the worker has taken over its partitions; before that it reads and pushes nothing.
func (w *Worker) Check(context.Context) error {
	if !w.intake.Running() {
		return errors.New("no partitions assigned yet")
	}
	return nil
}

// Run works until ctx ends: intake stops first, then the pushes under way end, then what they said is still published for a
// moment and the audit sealed. It returns when everything has stopped; the error is one that no waiting would mend.
func (w *Worker) Run(ctx context.Context) error {
	relaying, stopRelay := context.WithCancel(context.WithoutCancel(ctx))
	var relay, rest sync.WaitGroup
	relay.Go(func() { w.relay.Run(relaying) })
	rest.Go(func() { w.pusher.Run(ctx) })
	rest.Go(func() { w.asker.Run(ctx) })
	rest.Go(func() { w.prover.Run(ctx) })
	rest.Go(func() { w.sealer.Run(ctx) })
	err := stream.Consume(ctx, stream.ConsumeConfig{Config: w.Kafka, Group: Group,
		Topic: event.TopicDecisions, Log: w.Log, SessionTimeout: w.Session, Healthy: w.Pool.Ping,
		Holds: func(ctx context.Context, next map[int]int64) error {
			return w.store.Holds(ctx, event.TopicDecisions, next)
		}}, w.intake)
	rest.Wait()
	stopRelay()
	relay.Wait()
	auditing.Last(ctx, w.sealer)
	return errors.Join(err, w.publisher.Close())
}
