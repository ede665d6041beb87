package support_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/sync/support"
)

func TestRemovalTakesTwoCallsAndHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stina := w.persons["staff_entries"]
	w.emits(stina, "+46701740605", nil)
	w.carry()
	a := w.asks(stina)
	w.carry()
	if a.Result != support.ToConfirm || len(a.Values) != 1 || a.Values[0].Reveal() != "+46701740605" || len(a.Others) != 3 || w.own(stina) != "+46701740605" {
		t.Fatalf("the first call: %+v, the register has %q", a, w.own(stina))
	}
	if strings.Trim(a.Token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		t.Errorf("token %q", a.Token)
	}
	w.removes(stina)
	if got := w.asks(stina).Result; got != support.InHand {
		t.Errorf("while it is saved: %s", got)
	}
	w.receive(w.takeOut("consent")...)
	if got := w.asks(stina).Result; got != support.InHand {
		t.Errorf("while it is under way: %s", got)
	}
	w.carry()
	got := w.mobile(stina)
	if got.State.Stage != support.Removed || w.own(stina) != "" || len(got.Others) != 3 {
		t.Errorf("after the removal: %+v", got)
	}
	if h := got.Here; h == nil || h.Share || h.Actor != event.RoleSupport || h.Correction != "wrong_number" || h.Reason != event.ReasonCorrection {
		t.Errorf("the portal is told %+v", h)
	}
	w.receive(w.emitted...)
	w.carry()
	if w.own(stina) != "" {
		t.Error("a replay of the older decision brought the detail back")
	}
	w.emits(stina, "+46701740605", nil)
	w.carry()
	if w.own(stina) != "+46701740605" {
		t.Error("a new choice does not bring the detail back")
	}
	wantAudit := []string{"support remove: confirm", "support remove: confirm", "decide withdraw: saved", "support remove: under_way",
		"support remove: under_way", "support find: found"}
	if diff := cmp.Diff(wantAudit, w.audited()); diff != "" {
		t.Error("audit (-want +got)\n" + diff)
	}
	var ground string
	w.must(w.pool.QueryRow(t.Context(), `select ground from consent.audit where action = 'decide withdraw'`).Scan(&ground))
	if ground != "wrong_number: "+asked {
		t.Errorf("ground %q", ground)
	}
}

func TestWhatNobodyDecidedHereIsRemovedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bodil := w.persons["both_channels"]
	w.removes(bodil)
	w.carry()
	if w.own(bodil) != "" || len(w.find(bodil).Channels[1].Own) != 1 {
		t.Error("not the one channel was removed")
	}
}

func TestWhatHasNotReachedTheRegisterIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unknown := contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	child, tove := w.persons["child_under_13"], w.persons["empty"]
	w.emits(unknown, "+46701740605", nil)
	w.emits(child, "+46701740606", w.byGuardian)
	w.carry()
	w.decides(tove, true, "+46701740607") // not yet relayed
	for _, row := range []struct {        // the saved one first: the next to be carried relays it
		name   string
		person contact.PersonID
	}{{"saved", tove}, {"parked", unknown}, {"waiting for a guardian", child}} {
		name, p := row.name, row.person
		if a := w.asks(p); a.Result != support.ToConfirm || len(a.Values) != 1 {
			t.Fatalf("%s: %+v", name, a)
		}
		w.removes(p)
		w.carry()
		if got := w.mobile(p); got.State.Stage != support.Removed || len(got.Waiting) != 0 || !(got.Share == nil || got.Share.Value.IsZero()) {
			t.Errorf("%s: after the removal %+v", name, got)
		}
	}
}

func TestNothingOfTheResidentsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stina, tove := w.persons["staff_entries"], w.persons["empty"]
	w.removes(stina)
	w.carry()
	a := w.asks(stina)
	if a.Result != support.Nothing || len(a.Others) != 3 || a.Token != "" {
		t.Errorf("only others' entries: %+v", a)
	}
	if a := w.asks(tove); a.Result != support.Nothing || len(a.Others) != 0 {
		t.Errorf("nothing at all: %+v", a)
	}
	before := w.decisions()
	w.away = true
	if _, err := w.desk.Remove(t.Context(), w.removal(tove)); !errors.Is(err, support.ErrRegisterAway) {
		t.Errorf("nobody to ask: %v", err)
	}
	if got := w.audited(); w.decisions() != before || !strings.HasPrefix(got[len(got)-1], "support remove: refused: the register") {
		t.Errorf("audit %q", got)
	}
}

// TestARemovalThatTheRegisterRefusesIsInHand: another one would change nothing.
func TestARemovalThatTheRegisterRefusesIsInHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disa := w.persons["deceased"]
	w.removes(disa)
	w.carry()
	if a := w.asks(disa); a.Result != support.InHand || a.State.Stage != support.Parked {
		t.Errorf("answer %+v", a)
	}
}

func TestTokenIsForOneDetailOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stina, bodil := w.persons["staff_entries"], w.persons["both_channels"]
	other := w.newDesk("another secret")
	tests := []struct {
		name   string
		change func(*support.Removal)
		want   error
	}{
		{"another person", func(r *support.Removal) { r.Person = bodil }, support.ErrTokenForeign},
		{"another channel", func(r *support.Removal) { r.Channel = contact.Email }, support.ErrTokenForeign},
		{"another reason", func(r *support.Removal) { r.Reason = "typo" }, support.ErrTokenForeign},
		{"another ground", func(r *support.Removal) { r.Ground += "!" }, support.ErrTokenForeign},
		{"a letter changed at the end", func(r *support.Removal) { r.Token = flipped(r.Token, len(r.Token)-5) }, support.ErrTokenForeign},
		{"a letter changed in the middle", func(r *support.Removal) { r.Token = flipped(r.Token, 12) }, support.ErrTokenForeign},
		{"a later expiry", func(r *support.Removal) { r.Token = "z" + r.Token }, support.ErrTokenForeign},
		{"no token at all", func(r *support.Removal) { r.Token = "yes" }, support.ErrTokenForeign},
		{"empty parts", func(r *support.Removal) { r.Token = ".." }, support.ErrTokenForeign},
		{"another installation", func(r *support.Removal) {
			a, err := other.Remove(t.Context(), w.removal(stina))
			w.must(err)
			r.Token = a.Token
		}, support.ErrTokenForeign},
		{"ten minutes later", func(*support.Removal) { w.clock = w.clock.Add(10 * time.Minute) }, support.ErrTokenExpired},
		{"another value", func(*support.Removal) { w.emits(stina, "+46701740607", nil) }, support.ErrChanged},
		{"the same value, shared anew", func(*support.Removal) { w.emits(stina, "+46701740607", nil) }, support.ErrChanged},
	}
	for _, tt := range tests { // not in parallel: one world
		r := w.removal(stina)
		r.Token = w.asks(stina).Token
		tt.change(&r)
		w.carry()
		if _, err := w.desk.Remove(t.Context(), r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := w.audited(); got[len(got)-1] != "support remove: refused: "+tt.want.Error() {
			t.Errorf("%s: audited %q", tt.name, got[len(got)-1])
		}
	}
	if n := w.decisions(); n != 0 || w.own(stina) == "" || w.own(bodil) == "" {
		t.Errorf("%d removals by tokens that are not for them", n)
	}
}

func flipped(text string, at int) string {
	replacement := "A"
	if text[at] == 'A' {
		replacement = "B"
	}
	return text[:at] + replacement + text[at+1:]
}

func TestTokenIsGoodOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tove := w.persons["empty"]
	w.emits(tove, "+46701740605", nil)
	w.carry()
	r := w.removal(tove)
	r.Token = w.asks(tove).Token
	w.clock = w.clock.Add(time.Second)
	var results []support.Result
	again := func() {
		a, err := w.desk.Remove(t.Context(), r)
		w.must(err)
		results = append(results, a.Result)
		w.carry()
	}
	again()
	again()
	if diff := cmp.Diff([]support.Result{support.Removing, support.Nothing}, results); diff != "" || w.decisions() != 1 {
		t.Errorf("%d decisions (-want +got)\n%s", w.decisions(), diff)
	}
	w.emits(tove, "+46701740605", nil) // a new choice, of the same number
	w.carry()
	if _, err := w.desk.Remove(t.Context(), r); !errors.Is(err, support.ErrChanged) || w.own(tove) == "" {
		t.Errorf("the old token against a new choice: %v", err)
	}
}

func TestRemovalWithoutAnAuditIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bodil := w.persons["both_channels"]
	r := w.removal(bodil)
	token := w.asks(bodil).Token
	_, err := w.pool.Exec(t.Context(), `alter table consent.audit rename to gone`)
	w.must(err)
	for _, r.Token = range []string{"", token} {
		if a, err := w.desk.Remove(t.Context(), r); err == nil || len(a.Values) != 0 {
			t.Errorf("answer %+v, %v", a, err)
		}
	}
	if w.decisions() != 0 || len(w.takeOut("consent")) != 0 {
		t.Error("a decision was made without an audit entry")
	}
}

// A share may lie some seconds ahead of our clock. The removal is numbered above it.
func TestShareByAClockAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tove := w.persons["empty"]
	w.emits(tove, "+46701740605", func(d *event.Decision) { d.Revision += 3e6 })
	r := w.removal(tove)
	r.Token = w.asks(tove).Token
	if a, err := w.desk.Remove(t.Context(), r); err != nil || a.Result != support.Removing {
		t.Errorf("%v, %v", a.Result, err)
	}
	w.carry()
	if w.mobile(tove).State.Stage != support.Removed {
		t.Error("the removal does not count")
	}
}

func TestJudgeRemoval(t *testing.T) {
	t.Parallel()
	good := support.Removal{Channel: contact.Email, Reason: "other", Ground: strings.Repeat("å", 500)}
	if err := good.Judge(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*support.Removal){
		"no channel":          func(r *support.Removal) { r.Channel = "" },
		"an unknown reason":   func(r *support.Removal) { r.Reason = "because" },
		"no ground":           func(r *support.Removal) { r.Ground = " " },
		"too long a ground":   func(r *support.Removal) { r.Ground += "å" },
		"a line break":        func(r *support.Removal) { r.Ground = "a\nb" },
		"a right-to-left one": func(r *support.Removal) { r.Ground = "a\u202eb" },
		"no UTF-8":            func(r *support.Removal) { r.Ground = "a\xff" },
	} {
		bad := good
		change(&bad)
		if bad.Judge() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if !slices.Contains(support.Corrections(), "deceased") {
		t.Error("deceased is no reason")
	}
}

// TestStaffIsTakenAsTheEventContractTakesIt: a removal by an actor that the worker refuses would be lost.
func TestStaffIsTakenAsTheEventContractTakesIt(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"SE2321000016-CSS1", "se162321000016-1a2b", "SE2321000016-" + strings.Repeat("A", 18), "SE2321000016-" + strings.Repeat("A", 19),
		"SE232100001-A", "SE23210000161-A", "SE2321000016-", "SE2321000016", "NO2321000016-A", "SE2321000016-A_B", "SE2321000016-Å", ""} {
		actor, err := support.Staff(id)
		if err != nil {
			actor = event.Actor{Role: event.RoleSupport, HSAID: strings.ToUpper(id)}
		}
		headers, body := event.Decision{EventID: "00000000-0000-4000-8000-000000000001", Source: ours, Channel: contact.Mobile, Revision: 1,
			Person: contact.KnownPersonID(contact.RootPersonnummer, "198507099805"), Actor: actor, Reason: event.ReasonCorrection}.Binary()
		if read := event.Read(headers, body, time.Now()).Decision.Actor; (read == actor) != (err == nil) {
			t.Errorf("%q: %v, and the event is read as by %+v", id, err, read)
		}
	}
}
