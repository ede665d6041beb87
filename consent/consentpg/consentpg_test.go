package consentpg_test

import (
	"errors"
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
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var tove = contact.KnownPersonID(contact.RootPersonnummer, "197205179802")

type desk struct {
	t     *testing.T
	pool  *pgxpool.Pool
	store *consentpg.Store
	now   time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, pool: pgtest.Migrated(t, "consent", consentpg.Migrate), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	var err error
	d.store, err = consentpg.New(consentpg.Config{Pool: d.pool, Source: "urn:hsaid:SE2321000016-A1", Pepper: []byte("test"), AuditKey: audit.DevelopmentKey(),
		Now: func() time.Time { return d.now }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) decides(share bool) consentpg.Choice {
	d.t.Helper()
	w := consentpg.Wish{Person: tove, Channel: contact.Mobile, Share: share}
	if share {
		w.Value = contact.KnownValue("+46701740605")
	}
	c, err := d.store.Decide(d.t.Context(), w)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *desk) choice() consentpg.Choice {
	d.t.Helper()
	all, err := d.store.Choices(d.t.Context(), tove)
	if err != nil {
		d.t.Fatal(err)
	}
	return all[contact.Mobile]
}

func (d *desk) told(eventID string, revision, sequence int64, kind event.OutcomeKind, why reason.Code) {
	d.t.Helper()
	_, err := d.store.Fold(d.t.Context(), []event.Outcome{{EventID: eventID, Person: event.AsSent(tove.Root(), tove.RevealExtension()),
		Channel: contact.Mobile, Revision: revision, Outcome: kind, Reason: why, Sequence: sequence, Time: d.now}})
	if err != nil {
		d.t.Fatal(err)
	}
}

// sent are the decisions in the outbox, in its order.
func (d *desk) sent() []event.Decision {
	d.t.Helper()
	rows, err := d.pool.Query(d.t.Context(), `select headers, value from consent.outbox order by id`)
	if err != nil {
		d.t.Fatal(err)
	}
	var out []event.Decision
	var flat []string
	var value []byte
	_, err = pgx.ForEachRow(rows, []any{&flat, &value}, func() error {
		var headers []event.Header
		for i := 0; i+1 < len(flat); i += 2 {
			headers = append(headers, event.Header{Key: flat[i], Value: []byte(flat[i+1])})
		}
		got := event.Read(headers, value, d.now)
		if got.Unreadable != "" || len(got.Refusals) > 0 {
			d.t.Errorf("our own event is refused: %v %v", got.Unreadable, got.Refusals)
		}
		out = append(out, got.Decision)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func TestDecisionAuditAndEventAreOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.decides(true)
	sent := d.sent()
	if len(sent) != 1 || sent[0].EventID != c.EventID || sent[0].Revision != c.Revision || sent[0].Value.Reveal() != "+46701740605" {
		t.Errorf("sent %+v", sent)
	}
	var audited string
	if err := d.pool.QueryRow(t.Context(), `select concat_ws(' ', actor, action, channel, event_id) from consent.audit`).Scan(&audited); err != nil {
		t.Fatal(err)
	}
	if audited != "resident decide share mobile "+c.EventID {
		t.Errorf("audited %q", audited)
	}
}

// TestAuditHoldsWhatWasWritten verifies the MACs of all kinds of entries.
func TestAuditHoldsWhatWasWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.decides(true)
	d.decides(false)
	staff := event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-1A2B"}
	if err := d.store.Audit(t.Context(), consentpg.Act{Actor: staff, Action: "parked show", Ground: "å \t ; =", Outcome: "nothing found"}); err != nil {
		t.Fatal(err)
	}
	r, err := audit.Verify(t.Context(), d.pool, consentpg.AuditLog(), audit.Check{Key: audit.DevelopmentKey()})
	if err != nil || r.Fault != nil || r.Unsealed != 3 || r.Unsigned != 0 {
		t.Errorf("%d entries, %d without a MAC, %v, %v", r.Unsealed, r.Unsigned, r.Fault, err)
	}
}

func TestRevisionIsAboveAllThatAreKnown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.decides(true)
	second := d.decides(false) // in the same microsecond
	if first.Revision != d.now.UnixMicro() || second.Revision != first.Revision+1 {
		t.Errorf("revisions %d, %d", first.Revision, second.Revision)
	}
	ahead := first.Revision + 1e9
	d.told("elsewhere", ahead, 1, event.Pushed, "")
	d.told("refused", ahead+1e9, 2, event.Parked, reason.ClockAhead)
	if third := d.decides(true); third.Revision != ahead+1 {
		t.Errorf("revision %d after one of %d was told of", third.Revision, ahead)
	}
}

func TestOnlyTheNewestValueIsKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.decides(true)
	d.decides(true)
	if d.choice().Value.Reveal() != "+46701740605" {
		t.Error("the newest value is gone")
	}
	d.decides(false)
	var kept int
	if err := d.pool.QueryRow(t.Context(), `select count(value) from consent.decision`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d values kept after a withdrawal, %v", kept, err)
	}
}

func TestTheLastOutcomeCountsWhateverTheOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.decides(true)
	if d.choice().Outcome != nil {
		t.Error("an outcome before any was told")
	}
	d.told(c.EventID, c.Revision, 9, event.Pushed, "")
	d.told(c.EventID, c.Revision, 5, event.Parked, reason.PersonUnknown)
	if got := d.choice(); got.Outcome == nil || got.Outcome.Kind != event.Pushed || got.Elsewhere != nil {
		t.Errorf("choice %+v", got)
	}
}

func TestNewerChoiceElsewhereAppears(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.told("first", 5, 1, event.Pushed, "")
	if d.choice().Elsewhere == nil {
		t.Error("a choice made elsewhere does not appear where none was made here")
	}
	c := d.decides(true)
	for i, kind := range []struct {
		event.OutcomeKind
		reason.Code
	}{{event.Parked, reason.ClockAhead}, {event.Superseded, reason.NewerDecision}, {event.Unchanged, reason.SharedElsewhere}} {
		d.told(string(kind.Code), c.Revision+10, int64(i+2), kind.OutcomeKind, kind.Code)
	}
	if d.choice().Elsewhere != nil {
		t.Error("a decision that does not count appears as newer")
	}
	d.told("theirs", c.Revision+1, 9, event.Pushed, "")
	if got := d.choice().Elsewhere; got == nil || got.Revision != c.Revision+1 {
		t.Errorf("elsewhere %+v", got)
	}
	if d.decides(false); d.choice().Elsewhere != nil {
		t.Error("the newer choice elsewhere is still shown after a new one here")
	}
}

func TestDecisionsAtOnceAreSentInTheirOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 10 {
				d.decides(i%2 == 0)
			}
		})
	}
	wait.Wait()
	sent := d.sent()
	if len(sent) != 80 {
		t.Fatalf("%d sent", len(sent))
	}
	for i := 1; i < len(sent); i++ {
		if sent[i].Revision <= sent[i-1].Revision {
			t.Fatalf("revision %d is sent after %d", sent[i].Revision, sent[i-1].Revision)
		}
	}
}

func TestFormThatIsSentTwiceIsOneDecision(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := consentpg.Wish{EventID: "7b5d3bd5-2a38-4b0d-9f6c-6f0b0a0f0a01", Person: tove, Channel: contact.Mobile, Share: true, Value: contact.KnownValue("+46701740605")}
	for range 2 {
		c, err := d.store.Decide(t.Context(), w)
		if err != nil || c.Revision != d.now.UnixMicro() || c.Value != w.Value {
			t.Errorf("choice %+v, %v", c, err)
		}
	}
	if n := len(d.sent()); n != 1 {
		t.Errorf("%d events sent", n)
	}
	w.Channel = contact.Email
	if _, err := d.store.Decide(t.Context(), w); !errors.Is(err, consentpg.ErrForeignForm) {
		t.Errorf("the form of another channel: %v", err)
	}
}

func TestDecisionUponAnotherThanTheNewestIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	none := ""
	w := consentpg.Wish{Person: tove, Channel: contact.Mobile, Upon: &none, Above: d.now.UnixMicro() + 1e6}
	c, err := d.store.Decide(t.Context(), w)
	if err != nil || c.Revision != w.Above+1 {
		t.Fatalf("choice %+v, %v", c, err)
	}
	if _, err := d.store.Decide(t.Context(), w); !errors.Is(err, consentpg.ErrNewerChoice) || len(d.sent()) != 1 {
		t.Errorf("a decision upon none was made after one: %v", err)
	}
	w.Upon = &c.EventID
	if _, err := d.store.Decide(t.Context(), w); err != nil {
		t.Error(err)
	}
}
