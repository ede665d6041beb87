package support_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/pgtest"
	"contactsync/consent/reason"
	"contactsync/consent/stream"
	"contactsync/contracts/contracttest"
	"contactsync/contracts/mockregister"
	"contactsync/sync/intake"
	"contactsync/sync/push"
	"contactsync/sync/register"
	"contactsync/sync/support"
	"contactsync/sync/syncpg"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	address  = "SE165565594230-1000"
	caller   = "SE2321000016-CSW1"
	ours     = "urn:hsaid:SE2321000016-CSP1"
	eService = "urn:hsaid:SE2321000016-ES01"
	asked    = "Called by the man who has the number now"
)

// world is everything between a decision and the register, with Kafka's part played by carry: real stores, a real worker and
// a real register behind mutual TLS.
type world struct {
	profiles *register.ProfileV5
	t        *testing.T
	pool     *pgxpool.Pool
	desk     *support.Desk
	consent  *consentpg.Store
	intake   *intake.Intake
	store    *syncpg.Store
	adapter  *register.PersonV4
	away     bool             // the register does not answer the desk
	silent   contact.PersonID // nor does it ever about this number
	clock    time.Time
	persons  map[string]contact.PersonID
	staff    event.Actor
	next     int64 // offset in the one partition
	emitted  []stream.Record
}

func newWorld(t *testing.T) *world {
	t.Helper()
	pool := pgtest.Migrated(t, "support", func(ctx context.Context, p *pgxpool.Pool) error {
		return errors.Join(mockregister.Migrate(ctx, p), syncpg.Migrate(ctx, p), consentpg.Migrate(ctx, p))
	})
	w := &world{t: t, pool: pool, clock: time.Now(), persons: map[string]contact.PersonID{}}
	var err error
	if w.staff, err = support.Staff("se2321000016-css1"); err != nil {
		t.Fatal(err)
	}
	w.adapter = w.newRegister()
	w.store, err = syncpg.New(syncpg.Config{Pool: pool, Source: "urn:hsaid:" + caller, Pepper: []byte("test"), AuditKey: audit.DevelopmentKey()})
	w.must(err)
	w.consent, err = consentpg.New(consentpg.Config{Pool: pool, Source: ours, Pepper: []byte("test"), AuditKey: audit.DevelopmentKey(), Now: w.now})
	w.must(err)
	w.intake, err = intake.New(intake.Config{Store: w.store, Log: slog.New(slog.DiscardHandler), Now: w.now,
		Counted: func(string, reason.Code) {}, Lost: func(stream.Loss) {}})
	w.must(err)
	_, err = w.intake.Assigned(t.Context(), event.TopicDecisions, []stream.Assignment{{Committed: -1}}, nil)
	w.must(err)
	w.desk = w.newDesk("secret")
	return w
}

func (w *world) newDesk(secret string) *support.Desk {
	w.t.Helper()
	desk, err := support.New(support.Config{Consent: w.consent, Sync: w.store, Register: answering{w}, Secret: []byte(secret),
		Pepper: []byte("test"), Now: w.now})
	w.must(err)
	return desk
}

func (w *world) newRegister() *register.PersonV4 {
	w.t.Helper()
	mock, err := mockregister.New(mockregister.Config{AuditKey: audit.DevelopmentKey(), Pool: w.pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), LogicalAddress: address,
		Access: mockregister.MayAll(caller)})
	w.must(err)
	seeded, err := mock.Seed(w.t.Context(), 0)
	w.must(err)
	for _, p := range seeded {
		w.persons[p.State] = contact.KnownPersonID(p.Root, p.Extension)
	}
	served := contracttest.Serve(w.t, mock.Handler())
	w.profiles, err = register.NewProfileV5(register.ProfileV5Config{Client: served.Profiles(w.t, caller, address, false),
		Observe: func(string, string, string, time.Duration) {}})
	w.must(err)
	client := served.Client(w.t, caller, address, false)
	adapter, err := register.NewPersonV4(register.PersonV4Config{Reads: client, Writes: client, Codes: register.DefaultCodes(),
		Observe: func(string, string, string, time.Duration) {}})
	w.must(err)
	return adapter
}

// answering is the register while it is not away.
type answering struct{ *world }

func (a answering) Hold(ctx context.Context, p contact.PersonID) (*register.Holding, error) {
	if a.away || p == a.silent {
		return nil, errors.New("connection refused")
	}
	return a.adapter.Hold(ctx, p)
}

func (w *world) now() time.Time { return w.clock }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// carry does what Kafka and the relays do, until nothing moves: decisions to the worker, its pushes, outcomes back.
func (w *world) carry() {
	w.t.Helper()
	w.receive(w.takeOut("consent")...)
	_, err := w.pool.Exec(w.t.Context(), `update sync.due set due_at = now() where lease is null`)
	w.must(err)
	w.push()
	var outcomes []event.Outcome
	for _, r := range w.takeOut("sync") {
		o, err := event.ReadOutcome(headersOf(r), r.Value)
		w.must(err)
		outcomes = append(outcomes, o)
	}
	_, err = w.consent.Fold(w.t.Context(), outcomes)
	w.must(err)
}

// push lets a worker push until nobody is due.
func (w *world) push() {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	pusher, err := push.New(push.Config{Store: &untilIdle{Store: w.store, stop: stop}, Register: w.adapter,
		Log: slog.New(slog.DiscardHandler), SharesAllowed: func() bool { return true }})
	w.must(err)
	pusher.Run(ctx)
	prover, err := push.NewProver(push.ProverConfig{Store: w.store, Register: register.NewAhead(w.profiles, w.adapter), Log: slog.New(slog.DiscardHandler),
		Proved: func(time.Duration) {}, Failed: func() { w.t.Error("a removal was undone") }, Due: func() {}})
	w.must(err)
	prover.Round(w.t.Context())
}

// untilIdle stops the worker when nobody is due and nobody is worked on.
type untilIdle struct {
	push.Store
	stop func()

	mu           sync.Mutex
	open, nobody int
}

func (s *untilIdle) Claim(ctx context.Context, limit int, urgent, shares bool) ([]push.Claim, error) {
	claims, err := s.Store.Claim(ctx, limit, urgent, shares)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += len(claims)
	s.nobody++
	if len(claims) > 0 {
		s.nobody = 0
	}
	if s.open == 0 && s.nobody == 2 { // neither withdrawals nor shares
		s.stop()
	}
	return claims, err
}

func (s *untilIdle) Finish(ctx context.Context, ended []push.Ended) ([]push.Claim, error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open, s.nobody = s.open-len(ended), 0
	}()
	return s.Store.Finish(ctx, ended)
}

func headersOf(r stream.Record) (out []event.Header) {
	for _, h := range r.Headers {
		out = append(out, event.Header(h))
	}
	return out
}

func (w *world) receive(records ...stream.Record) {
	w.t.Helper()
	for i := range records {
		records[i].Offset = w.next
		w.next++
	}
	w.must(w.intake.Handle(w.t.Context(), stream.Batch{Topic: event.TopicDecisions, Records: records, Next: w.next}))
}

// takeOut empties an outbox.
func (w *world) takeOut(schema string) (out []stream.Record) {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `with gone as (delete from `+schema+`.outbox returning *) select headers, value from gone order by id`)
	w.must(err)
	var flat []string
	var value []byte
	_, err = pgx.ForEachRow(rows, []any{&flat, &value}, func() error {
		r := stream.Record{Value: append([]byte(nil), value...)}
		for i := 0; i+1 < len(flat); i += 2 {
			r.Headers = append(r.Headers, stream.Header{Key: flat[i], Value: []byte(flat[i+1])})
		}
		out = append(out, r)
		return nil
	})
	w.must(err)
	return out
}

// emits is a share that comes through another e-service.
func (w *world) emits(p contact.PersonID, value string, change func(*event.Decision)) {
	w.t.Helper()
	w.clock = w.clock.Add(time.Millisecond)
	d := event.Decision{EventID: fmt.Sprintf("00000000-0000-4000-8000-%012d", w.next), Source: eService, Time: w.clock, Person: p,
		Channel: contact.Mobile, Share: true, Value: contact.KnownValue(value), Revision: w.clock.UnixMicro(), DecidedAt: w.clock}
	if change != nil {
		change(&d)
	}
	headers, body := d.Binary()
	r := stream.Record{Value: body}
	for _, h := range headers {
		r.Headers = append(r.Headers, stream.Header(h))
	}
	w.emitted = append(w.emitted, r)
	w.receive(r)
}

// decides is a choice in our own portal.
func (w *world) decides(p contact.PersonID, share bool, value string) {
	w.t.Helper()
	w.clock = w.clock.Add(time.Millisecond)
	_, err := w.consent.Decide(w.t.Context(), consentpg.Wish{Person: p, Channel: contact.Mobile, Share: share, Value: contact.KnownValue(value)})
	w.must(err)
}

func (w *world) find(p contact.PersonID) support.Report {
	w.t.Helper()
	r, err := w.desk.Find(w.t.Context(), p, w.staff)
	w.must(err)
	return r
}

// mobile is what find tells of the mobile number.
func (w *world) mobile(p contact.PersonID) support.Channel {
	w.t.Helper()
	return w.find(p).Channels[0]
}

func (w *world) removal(p contact.PersonID) support.Removal {
	return support.Removal{Person: p, Channel: contact.Mobile, Reason: "wrong_number", Ground: asked, Actor: w.staff}
}

// asks is the first call, which changes nothing.
func (w *world) asks(p contact.PersonID) support.RemovalAnswer {
	w.t.Helper()
	a, err := w.desk.Remove(w.t.Context(), w.removal(p))
	w.must(err)
	return a
}

// removes does both calls.
func (w *world) removes(p contact.PersonID) {
	w.t.Helper()
	r := w.removal(p)
	r.Token = w.asks(p).Token
	w.clock = w.clock.Add(time.Millisecond)
	if a, err := w.desk.Remove(w.t.Context(), r); err != nil || a.Result != support.Removing {
		w.t.Fatalf("answer %q, %v", a.Result, err)
	}
}

// own are the values of the resident's own mobile entries in the register.
func (w *world) own(p contact.PersonID) string {
	w.t.Helper()
	var out []string
	held, err := w.desk.Register.Hold(w.t.Context(), p)
	w.must(err)
	for _, e := range held.Own[contact.Mobile] {
		out = append(out, e.Value.Reveal())
	}
	return strings.Join(out, " ")
}

// audited gives "action: outcome" of all audit entries by support, in order.
func (w *world) audited() []string {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `select action || ': ' || outcome from consent.audit where actor = 'support SE2321000016-CSS1' order by id`)
	w.must(err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	w.must(err)
	return out
}

// decisions counts what was decided here.
func (w *world) decisions() (n int) {
	w.t.Helper()
	w.must(w.pool.QueryRow(w.t.Context(), `select count(*) from consent.decision`).Scan(&n))
	return n
}
