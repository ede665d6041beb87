package consentpg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"contactsync/consent/audit"
	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
)

var vera = contact.KnownPersonID(contact.RootPersonnummer, "198507099805")

func shares(p contact.PersonID, channel contact.Channel, value string) consentpg.Wish {
	return consentpg.Wish{EventID: uuid.NewString(), Person: p, Channel: channel, Share: true, Value: contact.KnownValue(value)}
}

// What is decided in one transaction is decided as if one had come after the other.
func TestWishesOfOneTransactionAreDecidedInTheirOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	before := d.decides(true)
	first, second := shares(tove, contact.Mobile, "+46701740605"), shares(tove, contact.Mobile, "+46701740606")
	upon, late, foreign := second, second, first
	upon.EventID, upon.Upon = uuid.NewString(), &second.EventID
	late.EventID, late.Upon = uuid.NewString(), &before.EventID
	foreign.Person = vera
	mail := shares(tove, contact.Email, "tove@example.se")
	ended := consentpg.Wish{EventID: uuid.NewString(), Person: vera, Channel: contact.Mobile}
	wishes := []consentpg.Wish{first, mail, second, first, late, foreign, upon, ended}
	choices, errs, err := d.store.Together(t.Context(), wishes...)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, nil, nil, nil, consentpg.ErrNewerChoice, consentpg.ErrForeignForm, nil, nil} {
		if !errors.Is(errs[i], want) || want == nil && (choices[i].EventID != wishes[i].EventID || choices[i].Value != wishes[i].Value) {
			t.Errorf("wish %d: %+v, %v, want %v", i, choices[i], errs[i], want)
		}
	}
	if choices[3].Revision != choices[0].Revision {
		t.Error("a form that came twice became two decisions")
	}
	var sent []string
	for _, e := range d.sent() {
		sent = append(sent, e.EventID)
	}
	if got, want := fmt.Sprint(sent), fmt.Sprint([]string{before.EventID, first.EventID, mail.EventID, second.EventID, upon.EventID, ended.EventID}); got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if choices[0].Revision <= before.Revision || choices[2].Revision <= choices[0].Revision || choices[6].Revision <= choices[2].Revision {
		t.Errorf("revisions %d, then %d, %d, %d", before.Revision, choices[0].Revision, choices[2].Revision, choices[6].Revision)
	}
	if got := d.choice(); got.EventID != upon.EventID || got.Revision != choices[6].Revision || got.Value != upon.Value {
		t.Errorf("the newest choice is %+v", got)
	}
	var values int
	if err := d.pool.QueryRow(t.Context(), `select count(value) from consent.decision`).Scan(&values); err != nil || values != 2 {
		t.Errorf("%d values are kept (%v), want the newest of each channel", values, err)
	}
	r, err := audit.Verify(t.Context(), d.pool, consentpg.AuditLog(), audit.Check{Key: audit.DevelopmentKey()})
	if err != nil || r.Fault != nil || r.Unsealed != 6 || r.Unsigned != 0 {
		t.Errorf("%d audited, %d without a MAC, %v, %v", r.Unsealed, r.Unsigned, r.Fault, err)
	}
}

// newestIs wants so many decisions in the outbox, the newest of them a choice, which is its return value.
func (d *desk) newestIs(c consentpg.Choice, n int) consentpg.Choice {
	d.t.Helper()
	sent := d.sent()
	if len(sent) != n || sent[n-1].EventID != c.EventID || sent[n-1].Revision != c.Revision || sent[n-1].Share != c.Share || d.choice().EventID != c.EventID {
		d.t.Fatalf("%d sent, want %d; the newest is %+v, want %+v", len(sent), n, d.choice(), c)
	}
	return c
}

// A No is never swallowed because the same form said so before; while it holds, it stays one.
func TestNoThatIsSentAgainIsMadeAnewOnlyIfItHoldsNoMore(t *testing.T) {
	t.Parallel()
	no := consentpg.Wish{EventID: uuid.NewString(), Person: tove, Channel: contact.Mobile}
	for about, after := range map[string]func(*desk){
		"a Yes": func(d *desk) { d.decides(true) },
		"a choice made elsewhere": func(d *desk) {
			d.told(uuid.NewString(), d.choice().Revision+1e6, 1, event.Pushed, "")
		},
		"support's removal": func(d *desk) {
			actor := event.Actor{Role: event.RoleSupport, HSAID: "SE2321000016-B2"}
			if _, err := d.store.Decide(t.Context(), consentpg.Wish{Person: tove, Channel: contact.Mobile, Actor: actor, Reason: event.ReasonCorrection}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run("after "+about, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			sends := func() consentpg.Choice {
				t.Helper()
				c, err := d.store.Decide(t.Context(), no)
				if err != nil || c.Share {
					t.Fatalf("%+v, %v", c, err)
				}
				return c
			}
			d.newestIs(sends(), 1)
			d.newestIs(sends(), 1)
			for range 2 {
				after(d)
				n := len(d.sent())
				if anew := d.newestIs(sends(), n+1); anew.EventID == no.EventID || d.choice().Elsewhere != nil {
					t.Errorf("made anew is %+v", d.choice())
				}
				d.newestIs(sends(), n+1)
			}
		})
	}
}

func TestNoThatIsSentAgainInOneTransaction(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	no, yes := consentpg.Wish{EventID: uuid.NewString(), Person: tove, Channel: contact.Mobile}, shares(tove, contact.Mobile, "+46701740605")
	choices, errs, err := d.store.Together(t.Context(), no, yes, no, no, yes)
	if err != nil || errors.Join(errs...) != nil {
		t.Fatal(err, errs)
	}
	d.newestIs(choices[2], 3)
	if choices[0].EventID != no.EventID || choices[3] != choices[2] || choices[4].Revision != choices[1].Revision {
		t.Errorf("choices %+v", choices)
	}
}

// A decision of which nobody knows how it ended is made once, and it is not put above what came after it.
func TestNoThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	nothing, yes := func() {}, func() { d.decides(true) }
	no := consentpg.Wish{EventID: uuid.NewString(), Person: tove, Channel: contact.Mobile}
	tries := func(between func()) consentpg.Choice {
		t.Helper()
		c, err := d.store.Retried(t.Context(), no, between)
		if err != nil || c.Share {
			t.Fatalf("%+v, %v", c, err)
		}
		return c
	}
	d.newestIs(tries(nothing), 1)
	yes()
	anew := d.newestIs(tries(nothing), 3)
	yes()
	if again := tries(yes); again.EventID == anew.EventID || len(d.sent()) != 6 || !d.choice().Share {
		t.Errorf("%+v; %d sent, and a Yes that came after holds: %v", again, len(d.sent()), d.choice().Share)
	}
	other := no
	other.EventID = uuid.NewString()
	if _, err := d.store.Retried(t.Context(), other, yes); err != nil || len(d.sent()) != 8 || !d.choice().Share {
		t.Errorf("%v; %d sent, and a Yes that came after holds: %v", err, len(d.sent()), d.choice().Share)
	}
}

func TestNoUponANewestIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	before := d.decides(true)
	no := consentpg.Wish{EventID: uuid.NewString(), Person: tove, Channel: contact.Mobile, Upon: &before.EventID}
	for range 2 {
		if c, err := d.store.Decide(t.Context(), no); err != nil || c.EventID != no.EventID {
			t.Errorf("%+v, %v", c, err)
		}
		d.decides(true)
	}
	if n := len(d.sent()); n != 4 {
		t.Errorf("%d sent, want 4", n)
	}
}

func TestWishesThatDecideNothingLeaveNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.decides(true)
	_, errs, err := d.store.Together(t.Context(), consentpg.Wish{EventID: first.EventID, Person: vera, Channel: contact.Mobile},
		consentpg.Wish{EventID: uuid.NewString(), Person: vera, Channel: contact.Email, Upon: &first.EventID})
	if err != nil || !errors.Is(errs[0], consentpg.ErrForeignForm) || !errors.Is(errs[1], consentpg.ErrNewerChoice) {
		t.Errorf("%v, %v", errs, err)
	}
	var heads int
	if err := d.pool.QueryRow(t.Context(), `select count(*) from consent.channel`).Scan(&heads); err != nil || heads != 1 || len(d.sent()) != 1 {
		t.Errorf("%d heads (%v), %d sent", heads, err, len(d.sent()))
	}
}

// What PostgreSQL does not take of one resident keeps no other one's from being made.
func TestDecisionsAtOnceDoNotHarmEachOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var all sync.WaitGroup
	for i := range 60 {
		w := shares([]contact.PersonID{tove, vera}[i%2], contact.Mobile, "+46701740605")
		bad := i%10 == 3
		if bad {
			w.Notice.Version = "\x00"
		}
		all.Go(func() {
			c, err := d.store.Decide(t.Context(), w)
			if bad != (err != nil) || !bad && c.EventID != w.EventID {
				t.Errorf("decision %d: %+v, %v", i, c, err)
			}
		})
	}
	all.Wait()
	if n := len(d.sent()); n != 54 {
		t.Errorf("%d sent, want 54", n)
	}
}

// A click counts though its browser has gone.
func TestWhoHasLeftHasDecided(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := d.store.Decide(ctx, shares(tove, contact.Mobile, "+46701740605")); err != nil || len(d.sent()) != 1 {
		t.Errorf("%d sent, %v", len(d.sent()), err)
	}
}

// hold keeps Tove's head until the function that it returns is called.
func (d *desk) hold() (release func()) {
	d.t.Helper()
	d.decides(true)
	stopped, err := d.pool.Begin(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := stopped.Exec(d.t.Context(), `select from consent.channel for update`); err != nil {
		d.t.Fatal(err)
	}
	return func() {
		if err := stopped.Rollback(d.t.Context()); err != nil {
			d.t.Error(err)
		}
	}
}

// Somebody has stopped in the middle of a transaction. Who needs the head that it holds waits, and nobody else.
func TestHeadThatIsHeld(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	release := d.hold()
	var held, others sync.WaitGroup
	for i := range 24 {
		p, group := vera, &others
		if i%2 == 0 {
			p, group = tove, &held
		}
		group.Go(func() {
			if _, err := d.store.Decide(t.Context(), shares(p, contact.Mobile, "+46701740605")); err != nil {
				t.Errorf("decision %d: %v", i, err)
			}
		})
	}
	others.Wait() // else none of the other half is decided within its time
	release()
	held.Wait()
	if n := len(d.sent()); n != 25 {
		t.Errorf("%d sent, want 25", n)
	}
}

func TestDecisionMadeAloneIsToldOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	told := 0
	d.store.Written = func(context.Context) { told++ }
	if err := d.store.Alone(t.Context(), shares(vera, contact.Mobile, "+46701740605")); err != nil || told != 1 || len(d.sent()) != 1 {
		t.Errorf("told %d times of %d (%v)", told, len(d.sent()), err)
	}
}

func TestDecisionWaitsForOthersOnlyIfTheyComeFast(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	before := time.Now()
	if d.store.ComeFast(before) {
		t.Error("the first one waits")
	}
	d.decides(true)
	after := time.Now()
	if !d.store.ComeFast(before) || d.store.ComeFast(after.Add(5*time.Millisecond)) {
		t.Error("who comes at once does not wait for others, or who comes 5 ms later does")
	}
}

func TestDecisionsAtOnceShareATransaction(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var told atomic.Int64
	d.store.Written = func(context.Context) { told.Add(1) }
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := d.store.Decide(t.Context(), shares(vera, contact.Mobile, "+46701740605")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var transactions int64
	if err := d.pool.QueryRow(t.Context(), `select count(distinct tx) from consent.audit`).Scan(&transactions); err != nil || transactions > 50 {
		t.Errorf("%d transactions for 100 decisions (%v)", transactions, err)
	}
	if told.Load() != transactions {
		t.Errorf("told %d times of %d transactions", told.Load(), transactions)
	}
}
