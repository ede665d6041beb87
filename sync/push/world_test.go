package push_test

import (
	"bytes"
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
	asker   *push.Asker
	ahead   *register.Ahead
	prover  *push.Prover
	proved  []time.Duration
	undone  int
	url     string // of the register
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
	mock, err := mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: address,
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
	w.url = served.URL
	w.network = &network{next: served.HTTP(t, caller).Transport, seen: map[string]int{}}
	w.care = served.Client(t, caller, address, false)
	w.store = newStore(t, pool)
	w.pusher = w.newPusher(served.URL, configure)
	w.asker = w.newAsker(served.URL)
	w.ahead = w.newAhead(served.URL)
	w.prover = w.newProver(w.ahead)
	w.assign(0, 0)
	return w
}

func newStore(t *testing.T, pool *pgxpool.Pool) *syncpg.Store {
	t.Helper()
	store, err := syncpg.New(syncpg.Config{Pool: pool, Source: "urn:hsaid:" + caller, Pepper: []byte("test"), AuditKey: audit.DevelopmentKey()})
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

func (w *world) newAsker(url string) *push.Asker {
	w.t.Helper()
	client, err := personprofilev5.NewClient(personprofilev5.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: url, LogicalAddress: address, HTTP: &http.Client{Transport: w.network}}})
	if err != nil {
		w.t.Fatal(err)
	}
	adapter, err := register.NewProfileV5(register.ProfileV5Config{Client: client, Observe: func(string, string, string, time.Duration) {}})
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := push.NewAsker(push.AskerConfig{Store: w.store, Register: adapter, Log: slog.New(slog.DiscardHandler), Answered: func() {}})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// proves looks once for what was removed, whether or not it is time to.
func (w *world) proves() int {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `update sync.proof set due_at = now()`); err != nil {
		w.t.Fatal(err)
	}
	return w.prover.Round(w.t.Context())
}

func (w *world) newAhead(url string) *register.Ahead {
	w.t.Helper()
	soap := rivta.ClientConfig{BaseURL: url, LogicalAddress: address, HTTP: &http.Client{Transport: w.network}}
	profiles, err1 := personprofilev5.NewClient(personprofilev5.ClientConfig{ClientConfig: soap})
	contacts, err2 := personv4.NewClient(personv4.ClientConfig{ClientConfig: soap})
	observe := func(string, string, string, time.Duration) {}
	reads, err3 := register.NewProfileV5(register.ProfileV5Config{Client: profiles, Observe: observe})
	pushes, err4 := register.NewPersonV4(register.PersonV4Config{Reads: contacts, Writes: contacts, Codes: register.DefaultCodes(), Observe: observe})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		w.t.Fatal(err)
	}
	return register.NewAhead(reads, pushes)
}

func (w *world) newProver(register push.Shown) *push.Prover {
	w.t.Helper()
	p, err := push.NewProver(push.ProverConfig{Store: w.store, Register: register, Log: slog.New(slog.DiscardHandler),
		Proved: func(d time.Duration) { w.proved = append(w.proved, d) }, Failed: func() { w.undone++ }, Due: w.pusher.Wake})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// asks does one round of questions; everything that waits for its time is asked now.
func (w *world) asks() int {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `update sync.ask set due_at = now()`); err != nil {
		w.t.Fatal(err)
	}
	return w.asker.Round(w.t.Context())
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
	if err := w.take(entries...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) take(entries ...intake.Entry) error {
	for i := range entries {
		entries[i].Offset = w.offset
		w.offset++
	}
	return w.store.Take(w.t.Context(), intake.Batch{Topic: event.TopicDecisions, Next: w.offset, Entries: entries})
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
func (w *world) outcomes(revision int64) []string { return w.outcomesUnder("", revision) }

// outcomesUnder gives those that name a person's number; an empty state stands for any.
func (w *world) outcomesUnder(state string, revision int64) []string {
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
		if o.Revision == revision && (state == "" || o.Person.RevealExtension() == w.persons[state].RevealExtension()) {
			told := strings.TrimSpace(string(o.Outcome) + " " + string(o.Reason))
			if o.ProvedAt != nil {
				told += " proved"
			}
			out = append(out, told)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// copies gives a person's record the content of another's.
func (w *world) copies(from, to string) {
	w.t.Helper()
	source, target := w.persons[from], w.persons[to]
	_, err := w.pool.Exec(w.t.Context(), `
		update register.persons p set content = o.content, mobile = o.mobile, email = o.email from register.persons o
		where p.root = $1 and p.extension = $2 and o.root = $3 and o.extension = $4`,
		target.Root(), target.RevealExtension(), source.Root(), source.RevealExtension())
	if err != nil {
		w.t.Fatal(err)
	}
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

// wantOutcomesUnder also sees that no outcome of the revision names another number.
func (w *world) wantOutcomesUnder(state string, revision int64, want ...string) {
	w.t.Helper()
	w.wantOutcomes(revision, want...)
	if got := w.outcomesUnder(state, revision); len(got) != len(want) {
		w.t.Errorf("of the outcomes of revision %d %q name the number that it was made under", revision, got)
	}
}

// entryPerson makes somebody known to the test whom the register does not know.
func (w *world) entryPerson(state, root, extension string) {
	w.persons[state] = contact.KnownPersonID(root, extension)
}

// withoutLink does something before the register knows that the two numbers are one person's.
func (w *world) withoutLink(do func()) {
	w.t.Helper()
	exec := func(statement string) {
		if _, err := w.pool.Exec(w.t.Context(), statement); err != nil {
			w.t.Fatal(err)
		}
	}
	exec(`create table links as select * from register.linked_identities`)
	exec(`delete from register.linked_identities`)
	do()
	exec(`insert into register.linked_identities select * from links`)
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
	beforePut func()           // runs before the next update is passed on
	beforeAsk func()           // runs before the register is asked the next time who persons are
	only      contact.PersonID // hold and loseReply wait for an update of this person's record; zero: of any
	refuse    int              // status of the next answer, without asking the register
	leave     string           // Retry-After of that
	silent    bool             // until it is taken back: nobody is told who persons are
}

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := r.Header.Get("SOAPAction")
	operation = strings.Trim(operation[strings.LastIndex(operation, ":")+1:], `"`)
	n.mu.Lock()
	defer n.mu.Unlock()
	if operation == "GetPersonsForProfileUnrestricted" {
		if n.silent {
			return nil, errNetwork
		}
		if n.beforeAsk != nil {
			n.beforeAsk()
			n.beforeAsk = nil
		}
		return n.pass(r, operation)
	}
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
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	meant := n.only.IsZero() || bytes.Contains(body, []byte(n.only.RevealExtension()))
	if n.hold && meant {
		n.hold = false
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		n.held = append(n.held, late)
		return nil, errNetwork
	}
	if n.refuse > 0 {
		res := &http.Response{StatusCode: n.refuse, Header: http.Header{"Content-Type": {"application/problem+json"}},
			Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"type":"urn:x","title":"x","status":%d,"code":"not_allowed"}`, n.refuse)))}
		if n.leave != "" {
			res.Header.Set("Retry-After", n.leave)
		}
		n.refuse = 0
		return res, nil
	}
	res, err := n.pass(r, operation)
	if n.loseReply && meant {
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

// finish records a result as somebody would who does not know that the lease is gone.
func (w *world) finish(c push.Claim, r push.Result) error {
	lost, err := w.store.Finish(w.t.Context(), []push.Ended{{Claim: c, Result: r}})
	if len(lost) > 0 {
		return errors.Join(err, errors.New("the lease is another's"))
	}
	return err
}
