package push_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgtest"
	"contactsync/consent/stream"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/intake"
	"contactsync/sync/plan"
	"contactsync/sync/push"
	"contactsync/sync/register"
	"contactsync/sync/syncpg"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	address = "SE165565594230-1000"
	caller  = "SE2321000016-CSW1"
	source  = "urn:hsaid:SE2321000016-A1"
)

// world is a worker's push side with a real store, and a real register behind mutual TLS whose network can be disturbed.
type world struct {
	t       *testing.T
	pool    *pgxpool.Pool
	store   *syncpg.Store
	pusher  *push.Pusher
	network *network
	care    *personv4.Client // what a care system sees
	persons map[string]contact.PersonID
	offset  int64
}

func newWorld(t *testing.T, configure func(*push.Config)) *world {
	t.Helper()
	pool := pgtest.Migrated(t, "push", func(ctx context.Context, p *pgxpool.Pool) error {
		return errors.Join(mockregister.Migrate(ctx, p), syncpg.Migrate(ctx, p))
	})
	mock, err := mockregister.New(mockregister.Config{Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: address,
		Access: mockregister.MayAll(caller)})
	if err != nil {
		t.Fatal(err)
	}
	seeded, err := mock.Seed(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, pool: pool, persons: map[string]contact.PersonID{}}
	for _, p := range seeded {
		w.persons[p.State] = contact.KnownPersonID(p.Root, p.Extension)
	}
	served := contracttest.Serve(t, mock.Handler())
	w.network = &network{next: served.HTTP(t, caller).Transport, seen: map[string]int{}}
	w.care = served.Client(t, caller, address, false)
	w.store = newStore(t, pool)
	w.pusher = w.newPusher(served.URL, configure)
	w.assign(0, 0)
	return w
}

func newStore(t *testing.T, pool *pgxpool.Pool) *syncpg.Store {
	t.Helper()
	store, err := syncpg.New(syncpg.Config{Pool: pool, Source: "urn:hsaid:" + caller, Pepper: []byte("test")})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func (w *world) newPusher(url string, configure func(*push.Config)) *push.Pusher {
	w.t.Helper()
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: url, LogicalAddress: address, HTTP: &http.Client{Transport: w.network}}})
	if err != nil {
		w.t.Fatal(err)
	}
	adapter, err := register.NewPersonV4(register.PersonV4Config{Reads: client, Writes: client, Codes: register.DefaultCodes(),
		Observe: func(string, string, string, time.Duration) {}})
	if err != nil {
		w.t.Fatal(err)
	}
	c := push.Config{Store: w.store, Register: adapter, Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true }}
	if configure != nil {
		configure(&c)
	}
	p, err := push.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// assign takes over the one partition: its gate is at highWatermark.
func (w *world) assign(next, highWatermark int64) {
	w.t.Helper()
	_, err := w.store.Assigned(w.t.Context(), event.TopicDecisions, []stream.Assignment{{Committed: -1, LogStart: next, HighWatermark: highWatermark}}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) takes(entries ...intake.Entry) {
	w.t.Helper()
	for i := range entries {
		entries[i].Offset = w.offset
		w.offset++
	}
	if err := w.store.Take(w.t.Context(), intake.Batch{Topic: event.TopicDecisions, Next: w.offset, Entries: entries}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) entry(state string, revision int64, share bool) intake.Entry {
	p := w.persons[state]
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", revision)
	d := event.Decision{EventID: id, Source: source, Person: p, Channel: contact.Mobile, Share: share, Revision: revision}
	e := intake.Entry{Decision: d, Person: event.AsSent(p.Root(), p.RevealExtension())}
	if share {
		e.Event.Share = &plan.Share{Revision: revision, EventID: id, Source: source, Value: numberOf(revision)}
	} else {
		e.Event.Withdrawal = &plan.Withdrawal{Revision: revision, EventID: id, Source: source}
	}
	return e
}

func numberOf(revision int64) contact.Value {
	return contact.KnownValue(fmt.Sprintf("+467017406%02d", revision))
}

func (w *world) shares(state string, revision int64) {
	w.t.Helper()
	w.takes(w.entry(state, revision, true))
}
func (w *world) withdraws(state string, revision int64) {
	w.t.Helper()
	w.takes(w.entry(state, revision, false))
}

// pushes does one round; everything that waits for its time is made due first.
func (w *world) pushes() int {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `update sync.due set due_at = now() where lease is null`); err != nil {
		w.t.Fatal(err)
	}
	return w.pusher.Round(w.t.Context())
}

// leaseRunsOut is what happens when a worker dies with a claim in its hands.
func (w *world) leaseRunsOut() {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `update sync.due set due_at = now() where lease is not null`); err != nil {
		w.t.Fatal(err)
	}
}

// mobiles are the values of the resident's own mobile entries in the register.
func (w *world) mobiles(state string) string {
	w.t.Helper()
	p := w.persons[state]
	rec, err := w.care.Get(w.t.Context(), personv4.ID{Root: p.Root(), Extension: p.RevealExtension()})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range rec.Entries {
		if e.Type == "tel" && e.Use != nil && *e.Use == "mobile" {
			out = append(out, *e.Value)
		}
	}
	return strings.Join(out, " ")
}

// outcomes gives "outcome reason" of each outcome of a revision, in order.
func (w *world) outcomes(revision int64) []string {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `select headers, value from sync.outbox where topic = $1 order by id`, event.TopicOutcomes)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	var flat []string
	var value []byte
	_, err = pgx.ForEachRow(rows, []any{&flat, &value}, func() error {
		var headers []event.Header
		for i := 0; i+1 < len(flat); i += 2 {
			headers = append(headers, event.Header{Key: flat[i], Value: []byte(flat[i+1])})
		}
		o, err := event.ReadOutcome(headers, value)
		if o.Revision == revision {
			out = append(out, strings.TrimSpace(string(o.Outcome)+" "+string(o.Reason)))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) wantMobiles(state, want string) {
	w.t.Helper()
	if got := w.mobiles(state); got != want {
		w.t.Errorf("the register shows %q, want %q", got, want)
	}
}

func (w *world) wantOutcomes(revision int64, want ...string) {
	w.t.Helper()
	if got := w.outcomes(revision); strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.t.Errorf("outcomes of revision %d are %q, want %q", revision, got, want)
	}
}

var errNetwork = errors.New("connection reset")

// network is the way to the register. Each disturbance holds for one request.
type network struct {
	next http.RoundTripper

	mu        sync.Mutex
	seen      map[string]int // requests that reached the register, by operation
	hold      bool           // the next update is kept back, and the caller told nothing
	held      []*http.Request
	loseReply bool   // the next update happens, and the caller is told nothing
	replay    []byte // the next read is answered with this, an older answer
	lastRead  []byte
	beforePut func() // runs before the next update is passed on
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := r.Header.Get("SOAPAction")
	operation = strings.Trim(operation[strings.LastIndex(operation, ":")+1:], `"`)
	n.mu.Lock()
	defer n.mu.Unlock()
	if strings.HasPrefix(operation, "Get") {
		return n.read(r, operation)
	}
	return n.update(r, operation)
}

func (n *network) read(r *http.Request, operation string) (*http.Response, error) {
	res, err := n.pass(r, operation)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if n.replay != nil {
		body, n.replay = n.replay, nil
	}
	n.lastRead = body
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res, err
}

func (n *network) update(r *http.Request, operation string) (*http.Response, error) {
	if n.beforePut != nil {
		n.beforePut()
		n.beforePut = nil
	}
	if n.hold {
		n.hold = false
		body, err := io.ReadAll(r.Body)
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(strings.NewReader(string(body)))
		n.held = append(n.held, late)
		return nil, errors.Join(errNetwork, err)
	}
	res, err := n.pass(r, operation)
	if n.loseReply {
		n.loseReply = false
		return nil, errNetwork
	}
	return res, err
}

func (n *network) pass(r *http.Request, operation string) (*http.Response, error) {
	n.seen[operation]++
	return n.next.RoundTrip(r)
}

// deliver lets the updates that were kept back reach the register.
func (n *network) deliver(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.held {
		res, err := n.next.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	n.held = nil
}

func (n *network) updates() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen["UpdatePersonContactInformationUnrestricted"]
}
