package support_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/reason"
	"contactsync/sync/support"
)

func wantState(t *testing.T, got support.State, stage support.Stage, why reason.Code) {
	t.Helper()
	if got != (support.State{Stage: stage, Reason: why}) {
		t.Errorf("state %+v, want %s %s", got, stage, why)
	}
}

func TestFindFollowsADecisionToTheRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tove := w.persons["empty"]
	wantState(t, w.mobile(tove).State, support.Undecided, "")
	w.decides(tove, true, "+46701740605")
	got := w.mobile(tove)
	wantState(t, got.State, support.Saved, "")
	if got.Here == nil || got.Here.Value.Reveal() != "+46701740605" || got.Here.Actor != event.RoleResident || got.Share != nil {
		t.Errorf("saved here: %+v", got)
	}
	w.receive(w.takeOut("consent")...)
	got = w.mobile(tove)
	wantState(t, got.State, support.UnderWay, "")
	if got.Due == nil || got.Wanted == nil || got.Wanted.Source != ours {
		t.Errorf("under way: %+v", got)
	}
	w.carry()
	r := w.find(tove)
	got = r.Channels[0]
	wantState(t, got.State, support.PassedOn, "")
	if got.Due != nil || len(got.Own) != 1 || got.Own[0].Value.Reveal() != "+46701740605" || got.Wanted.Value.Reveal() != "+46701740605" {
		t.Errorf("passed on: %+v", got)
	}
	if len(r.Outcomes) != 1 || r.Outcomes[0].Outcome != event.Pushed || !r.Register.Whole() {
		t.Errorf("outcomes %+v, register %+v", r.Outcomes, r.Register)
	}
	w.decides(tove, false, "")
	w.carry()
	got = w.mobile(tove)
	wantState(t, got.State, support.Removed, "")
	if got.Withdrawal == nil || got.Wanted.EventID != got.Withdrawal.EventID || !got.Share.Value.IsZero() || len(got.Own) != 0 {
		t.Errorf("removed: %+v", got)
	}
}

func TestFindTellsWhatIsParkedAndRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, row := range map[string]struct {
		person contact.PersonID
		value  string
		change func(*event.Decision)
		stage  support.Stage
		why    reason.Code
	}{
		"a dead person":        {w.persons["deceased"], "+46701740608", nil, support.Parked, reason.PersonDeceased},
		"an unknown person":    {contact.KnownPersonID(contact.RootPersonnummer, "198507099805"), "+46701740605", nil, support.Parked, reason.PersonUnknown},
		"a guardian's share":   {w.persons["child_under_13"], "+46701740605", w.byGuardian, support.Parked, reason.GuardianUnconfirmed},
		"a fixed line":         {w.persons["empty"], "08-465 004 99", nil, support.Refused, reason.MobileFixedLine},
		"support as an author": {w.persons["child_13"], "+46701740605", w.bySupport, support.Refused, reason.ActorNotAllowed},
	} {
		w.emits(row.person, row.value, row.change)
		w.carry()
		got := w.mobile(row.person)
		if got.State != (support.State{Stage: row.stage, Reason: row.why}) {
			t.Errorf("%s: state %+v", name, got.State)
		}
		why, _ := row.why.Text()
		if text := got.State.Text(); len(text.EN) <= len(why.EN) || len(text.SV) <= len(why.SV) {
			t.Errorf("%s: said as %q", name, text.EN)
		}
	}
}

// What was decided last is what support is asked about, though an older decision stands.
func TestFindTellsThatTheNewestDecisionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tove := w.persons["empty"]
	for _, value := range []string{"+46701740605", "08-465 004 99"} {
		w.decides(tove, true, value)
		w.carry()
	}
	got := w.mobile(tove)
	wantState(t, got.State, support.Refused, reason.MobileFixedLine)
	if got.Share == nil || got.Share.Value.Reveal() != "+46701740605" {
		t.Errorf("the older one: %+v", got.Share)
	}
}

func (w *world) byGuardian(d *event.Decision) {
	d.Actor = event.Actor{Role: event.RoleGuardian, ID: w.persons["guardian"]}
}

func (w *world) bySupport(d *event.Decision) { d.Actor = w.staff }

func TestFindKeepsOthersApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.find(w.persons["staff_entries"])
	type entry struct{ Type, Use, Value string }
	var others [2][]entry
	for i, c := range r.Channels {
		if len(c.Own) != 1 {
			t.Errorf("%s: own %+v", c.Channel, c.Own)
		}
		for _, o := range c.Others {
			others[i] = append(others[i], entry{o.Type, o.Use, o.Value.Reveal()})
		}
	}
	want := [2][]entry{
		{{"tel", "work", "+46701740621"}, {"tel", "clinic", "+46701740623"}, {"tel", "", "+46701740624"}},
		{{"mail", "work", "arbete@example.se"}},
	}
	if diff := cmp.Diff(want, others); diff != "" {
		t.Error("others (-want +got)\n" + diff)
	}
}

func TestEveryFindIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.find(w.persons["empty"])
	w.find(contact.KnownPersonID(contact.RootPersonnummer, "198507099805"))
	if diff := cmp.Diff([]string{"support find: found", "support find: nothing found"}, w.audited()); diff != "" {
		t.Error("audit (-want +got)\n" + diff)
	}
	_, err := w.pool.Exec(t.Context(), `alter table consent.audit rename to gone`)
	w.must(err)
	r, err := w.desk.Find(t.Context(), w.persons["both_channels"], w.staff)
	if err == nil || len(r.Channels) != 0 {
		t.Errorf("without an audit: %d channels, %v", len(r.Channels), err)
	}
}

func TestValuesAreMaskedUnlessTheRegisterSaysUnprotected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unknown := contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	for name, row := range map[string]struct {
		person contact.PersonID
		away   bool
		share  string // as shown
	}{
		"nobody protected":              {w.persons["both_channels"], false, "+46701740699"},
		"secrecy":                       {w.persons["secrecy"], false, "***99"},
		"protected registration":        {w.persons["protected_registration"], false, "***99"},
		"unknown to the register":       {unknown, false, "***99"},
		"register away":                 {w.persons["staff_entries"], true, "***99"},
		"a share that the worker waits": {w.persons["child_under_13"], true, "***99"},
	} {
		w.away = row.away
		w.decides(row.person, true, "+46701740699")
		w.receive(w.takeOut("consent")...)
		r := w.find(row.person)
		got := r.Channels[0]
		if r.Register.Answered == row.away || got.Share.Value.Reveal() != row.share || got.Here.Value.Reveal() != row.share ||
			got.Wanted.Value.Reveal() != row.share {
			t.Errorf("%s: shown %q and %q", name, got.Share.Value.Reveal(), got.Here.Value.Reveal())
		}
		whole := row.share == "+46701740699"
		for _, c := range r.Channels {
			for _, e := range c.Own {
				if masked(e.Value) == whole {
					t.Errorf("%s: own entry %q", name, e.Value.Reveal())
				}
			}
			for _, o := range c.Others {
				if masked(o.Value) == whole {
					t.Errorf("%s: other's entry %q", name, o.Value.Reveal())
				}
			}
		}
		if a := w.asks(row.person); len(a.Values) == 0 || masked(a.Values[0]) == whole {
			t.Errorf("%s: to be removed %d values", name, len(a.Values))
		}
	}
	w.away = true
	w.emits(w.persons["child_under_13"], "+46701740698", w.byGuardian)
	if got := w.mobile(w.persons["child_under_13"]).Waiting; len(got) != 1 || got[0].Value.Reveal() != "***98" {
		t.Errorf("waiting %+v", got)
	}
}

// A share is kept with the person, under whichever number it was made. So it is masked where the register protects any of the numbers, or will not
// tell of one of them.
func TestValuesAreMaskedIfAnotherNumberIsProtected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, row := range map[string]struct {
		kept, other string // states of the two numbers' records
		away        bool   // the register does not answer about the other number than the one that is asked about
		share       string // as shown
	}{
		"neither is protected":      {"both_channels", "empty", false, "+46701740699"},
		"the one it is kept under":  {"secrecy", "staff_entries", false, "***99"},
		"the other one":             {"child_13", "protected_registration", false, "***99"},
		"nobody knows of the other": {"replacing_personal_number", "replaced_coordination_number", true, "***99"},
	} {
		kept, other := w.persons[row.kept], w.persons[row.other]
		w.emits(kept, "+46701740699", nil)
		_, err := w.pool.Exec(t.Context(), `
			insert into sync.person (root, extension, primary_id) select $1, $2, person_id from sync.person where root = $3 and extension = $4`,
			other.Root(), other.RevealExtension(), kept.Root(), kept.RevealExtension())
		w.must(err)
		for asked, elsewhere := range map[contact.PersonID]contact.PersonID{kept: other, other: kept} {
			w.silent = contact.PersonID{}
			if row.away {
				w.silent = elsewhere
			}
			if got := w.mobile(asked); got.Share == nil || got.Share.Value.Reveal() != row.share {
				t.Errorf("%s, asked about %v of %s: shown %q", name, asked == other, row.other, got.Share.Value.Reveal())
			}
			if a := w.asks(asked); !slices.ContainsFunc(a.Values, func(v contact.Value) bool { return v.Reveal() == row.share }) {
				t.Errorf("%s: to be removed %d values", name, len(a.Values))
			}
		}
	}
}

func masked(v contact.Value) bool {
	return len(v.Reveal()) >= 3 && (v.Reveal()[:3] == "***" || v.Reveal()[1:4] == "***")
}
