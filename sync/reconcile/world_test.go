package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgtest"
	"contactsync/consent/stream"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/reconcile"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	address = "SE165565594230-1000"
	caller  = "SE2321000016-CSW1"
	clinic  = "SE2321000016-CSJ1"
	source  = "urn:hsaid:SE2321000016-A1"
	bulk    = "GetPersonsForProfileUnrestricted"
)

// Test persons of the register, by their states. The old number's record holds what the register was seeded with.
const (
	tove      = "empty"
	bodil     = "both_channels"
	kim       = "generated"
	hidden    = "secrecy"
	oldNumber = "replaced_coordination_number"
	newNumber = "replacing_personal_number"
	seeded    = "+46701740605"
)

// world is a store, and a register behind mutual TLS that our system and a clinic use.
type world struct {
	t       testing.TB
	pool    *pgxpool.Pool
	store   *syncpg.Store
	mock    *mockregister.Register
	http    *http.Client
	url     string
	care    *personv4.Client // the clinic
	persons map[string]contact.PersonID
	offset  int64
	readLag time.Duration
	stop    func() // of the worker; nil: none runs
}

func newWorld(t testing.TB, generated int) *world {
	t.Helper()
	pool := pgtest.Migrated(t, "reconcile", func(ctx context.Context, p *pgxpool.Pool) error {
		return errors.Join(mockregister.Migrate(ctx, p), syncpg.Migrate(ctx, p))
	})
	mock, err := mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		LogicalAddress: address, Access: mockregister.MayAll(caller, clinic)})
	if err != nil {
		t.Fatal(err)
	}
	people, err := mock.Seed(t.Context(), generated)
	if err != nil {
		t.Fatal(err)
	}
	store, err := syncpg.New(syncpg.Config{Pool: pool, Source: "urn:hsaid:" + caller, Pepper: []byte("test"), AuditKey: audit.DevelopmentKey()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, pool: pool, store: store, mock: mock, persons: map[string]contact.PersonID{}}
	for _, p := range people {
		if _, again := w.persons[p.State]; !again {
			w.persons[p.State] = contact.KnownPersonID(p.Root, p.Extension)
		}
	}
	served := contracttest.Serve(t, mock.Handler())
	w.url, w.http, w.care = served.URL, served.HTTP(t, caller), served.Client(t, clinic, address, false)
	if _, err := store.Assigned(t.Context(), event.TopicDecisions, []stream.Assignment{{Committed: -1}}, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) client() rivta.ClientConfig {
	return rivta.ClientConfig{BaseURL: w.url, LogicalAddress: address, HTTP: w.http}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// works runs the push side of a worker until the test ends, or stops is called.
func (w *world) works() {
	w.t.Helper()
	observe := func(string, string, string, time.Duration) {}
	records := must(personv4.NewClient(personv4.ClientConfig{ClientConfig: w.client()}))(w.t)
	adapter := must(register.NewPersonV4(register.PersonV4Config{Reads: records, Writes: records, Codes: register.DefaultCodes(), Observe: observe}))(w.t)
	pusher := must(push.New(push.Config{Store: w.store, Register: adapter, Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true },
		Poll: 20 * time.Millisecond, ReadLag: w.readLag}))(w.t)
	profiles := must(personprofilev5.NewClient(personprofilev5.ClientConfig{ClientConfig: w.client()}))(w.t)
	who := must(register.NewProfileV5(register.ProfileV5Config{Client: profiles, Observe: observe}))(w.t)
	asker := must(push.NewAsker(push.AskerConfig{Store: w.store, Register: who, Log: slog.New(slog.DiscardHandler), Answered: pusher.Wake,
		Every: 20 * time.Millisecond}))(w.t)
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { pusher.Run(ctx) })
	running.Go(func() { asker.Run(ctx) })
	w.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(w.stop)
}

// settles waits until nothing is due, and nobody is asked about.
func (w *world) settles() {
	w.t.Helper()
	w.eventually("everything is pushed", func() bool {
		return w.count(`select (select count(*) from sync.due) + (select count(*) from sync.ask)`) == 0
	})
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !is(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("not after 30 s: %s", what)
		}
	}
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

func numberOf(revision int64) contact.Value {
	return contact.KnownValue(fmt.Sprintf("+467017406%02d", revision))
}

// decides takes one decision in, for the mobile channel.
func (w *world) decides(state string, revision int64, share bool) {
	w.t.Helper()
	p, id := w.persons[state], fmt.Sprintf("00000000-0000-4000-8000-%012d", revision)
	e := intake.Entry{Decision: event.Decision{EventID: id, Source: source, Person: p, Channel: contact.Mobile, Share: share, Revision: revision},
		Person: event.AsSent(p.Root(), p.RevealExtension()), Offset: w.offset}
	if share {
		e.Event.Share = &plan.Share{Revision: revision, EventID: id, Source: source, Value: numberOf(revision)}
	} else {
		e.Event.Withdrawal = &plan.Withdrawal{Revision: revision, EventID: id, Source: source}
	}
	w.offset++
	if err := w.store.Take(w.t.Context(), intake.Batch{Topic: event.TopicDecisions, Next: w.offset, Entries: []intake.Entry{e}}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) shares(state string, revision int64) { w.t.Helper(); w.decides(state, revision, true) }
func (w *world) withdraws(state string, revision int64) {
	w.t.Helper()
	w.decides(state, revision, false)
}

// mobiles are the values of the resident's own mobile entries, as a clinic sees them.
func (w *world) mobiles(state string) string {
	w.t.Helper()
	var out []string
	for _, e := range w.record(state).Entries {
		if isOwnMobile(e) {
			out = append(out, *e.Value)
		}
	}
	return strings.Join(out, " ")
}

func isOwnMobile(e personv4.Entry) bool { return e.Type == "tel" && e.Use != nil && *e.Use == "mobile" }

func (w *world) record(state string) *personv4.Record {
	w.t.Helper()
	p := w.persons[state]
	return must(w.care.Get(w.t.Context(), personv4.ID{Root: p.Root(), Extension: p.RevealExtension()}))(w.t)
}

func (w *world) wantMobiles(state, want string) {
	w.t.Helper()
	if got := w.mobiles(state); got != want {
		w.t.Errorf("the register shows %q, want %q", got, want)
	}
}

// clinicSets replaces the own mobile entry as a clinic might; an empty value removes it.
func (w *world) clinicSets(state, value string) {
	w.t.Helper()
	r := w.record(state)
	entries := slices.DeleteFunc(r.Entries, isOwnMobile)
	if value != "" {
		entries = append(entries, personv4.Entry{Type: "tel", Use: new("mobile"), Value: &value})
	}
	result := must(w.care.Update(w.t.Context(), personv4.Update{Actor: personv4.Actor{ID: r.Person}, Person: r.Person, VersionToUpdate: r.Version,
		Entries: entries, ContactPersons: r.ContactPersons, OptoutPaper: r.OptoutPaper, Unknown: r.Unknown}))(w.t)
	if !result.OK {
		w.t.Fatal("the register refuses the clinic")
	}
}

// loses empties a record, and leaves its version: nobody wrote that over a contract.
func (w *world) loses(state string) {
	w.t.Helper()
	w.exec(`update register.persons set content = '', mobile = null where extension = $1`, w.persons[state].RevealExtension())
}

// limiter counts calls, and may stop them.
type limiter struct {
	calls atomic.Int64
	each  func(n int64) // may be nil
}

// Take implements reconcile.Limiter.
func (l *limiter) Take(ctx context.Context) (done func(), err error) {
	n := l.calls.Add(1)
	if l.each != nil {
		l.each(n)
	}
	return func() {}, ctx.Err()
}

// settings are what a test changes of a run.
type settings struct {
	reconcile.Options
	anew    bool
	limiter *limiter
	change  func(*reconcile.Config)
}

var (
	onlyReport = settings{}
	fixes      = settings{Options: reconcile.Options{Fix: true}}
	restores   = settings{Options: reconcile.Options{Fix: true, RestoreShares: true}}
)

func (w *world) reconciles(s settings) reconcile.Report {
	w.t.Helper()
	return must(w.tryReconcile(w.t.Context(), s))(w.t)
}

func (w *world) tryReconcile(ctx context.Context, s settings) (reconcile.Report, error) {
	w.t.Helper()
	var run *syncpg.Reconciliation
	w.eventually("the lock of a killed run is free", func() bool {
		var err error
		run, err = w.store.Reconcile(w.t.Context())
		return err == nil
	})
	defer run.Close(context.WithoutCancel(ctx))
	begun, err := run.Begin(w.t.Context(), s.Options, s.anew)
	if err != nil {
		return reconcile.Report{}, err
	}
	if s.limiter == nil {
		s.limiter = &limiter{}
	}
	c := reconcile.Config{Store: w.store, Journal: run, Register: w.listing(), Limiter: s.limiter, MaxChanges: 100, ReadLag: w.readLag,
		Wait: 20 * time.Second, Cases: 100}
	if s.change != nil {
		s.change(&c)
	}
	return must(reconcile.New(c, begun))(w.t).Run(ctx)
}

func (w *world) listing() *register.Listing {
	w.t.Helper()
	client := must(personprofilev5.NewClient(personprofilev5.ClientConfig{ClientConfig: w.client()}))(w.t)
	return must(register.NewListing(register.ListingConfig{Client: client, Codes: register.DefaultCodes(),
		Observe: func(string, string, string, time.Duration) {}}))(w.t)
}

// told puts a report into one line.
func told(r reconcile.Report) string {
	var out []string
	for _, c := range r.Kinds {
		var by []string
		for status, n := range c.By {
			by = append(by, fmt.Sprintf("%d %s", n, status))
		}
		slices.Sort(by)
		out = append(out, fmt.Sprintf("%s: %s", c.Kind, strings.Join(by, ", ")))
	}
	return strings.Join(out, "; ")
}

func (w *world) want(r reconcile.Report, want string) {
	w.t.Helper()
	if got := told(r); got != want {
		w.t.Errorf("reported %q, want %q", got, want)
	}
}
