package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"contactsync/consent/contact"
	"contactsync/consent/reason"
	"contactsync/sync/plan"
	"contactsync/sync/register"
)

var (
	anna   = contact.KnownPersonID(contact.RootPersonnummer, "198507099805")
	annas  = contact.KnownPersonID(contact.RootSamordningsnummer, "198507699802") // her old number
	number = contact.KnownValue("+46701740605")
	other  = contact.KnownValue("+46701740606")
)

const ours = "20261125120000"

// shared and withdrawn are states that the register was seen to show.
func shared(change ...func(*plan.State)) plan.State {
	return settled(plan.State{Share: &plan.Share{Revision: 7, EventID: "yes", Source: "A", Value: number, Notify: new(true)}}, change)
}

func withdrawn(change ...func(*plan.State)) plan.State {
	return settled(plan.State{Withdrawal: &plan.Withdrawal{Revision: 8, EventID: "no", Source: "A"}}, change)
}

func settled(s plan.State, change []func(*plan.State)) plan.State {
	s.Settled = s.Want().Mark()
	for _, c := range change {
		c(&s)
	}
	return s
}

func due(s *plan.State)     { s.Settled = "" }
func silent(s *plan.State)  { s.Share.Notify = nil }
func blocked(s *plan.State) { s.Blocked = reason.PersonDeceased }

// holds is a record at a version, with own mobile entries.
func holds(version string, entries ...plan.Entry) plan.Record {
	return plan.Record{Version: version, Own: map[contact.Channel][]plan.Entry{contact.Mobile: entries}}
}

func entry(v contact.Value, notify bool) plan.Entry { return plan.Entry{Value: v, Notify: notify} }

func TestCompare(t *testing.T) {
	t.Parallel()
	right := holds(ours, entry(number, true))
	empty := holds(ours)
	for name, row := range map[string]struct {
		state plan.State
		head  *plan.Record // nil: the register does not know the number
		old   *plan.Record // of her old number; nil: she has none
		want  string       // "kind no? own?", or the channels that wait
	}{
		"a share as it should be":                           {shared(), &right, nil, ""},
		"a share that is missing":                           {shared(), &empty, nil, "share_missing own"},
		"a share that is missing since somebody else wrote": {shared(), new(holds("20261125120001")), nil, "share_missing"},
		"a share that is missing in an older record":        {shared(), new(holds("20261125115959")), nil, "share_missing"},
		"another value":                                     {shared(), new(holds(ours, entry(other, true))), nil, "value_differs own"},
		"two entries":                                       {shared(), new(holds(ours, entry(number, true), entry(number, true))), nil, "value_differs own"},
		"no notifications":                                  {shared(), new(holds(ours, entry(number, false))), nil, "notify_differs own"},
		"a share that says nothing of notifications":        {shared(silent), new(holds(ours, entry(number, false))), nil, ""},
		"a share of nobody":                                 {shared(), nil, nil, "unknown_person"},
		"a share that waits":                                {shared(due), &empty, nil, "1 waiting"},
		"a share that is parked":                            {shared(blocked), &empty, nil, ""},
		"no decision":                                       {plan.State{}, &right, nil, ""},
		"a withdrawal as it should be":                      {withdrawn(), &empty, nil, ""},
		"a withdrawal of nobody":                            {withdrawn(), nil, nil, ""},
		"a number that is still present":                    {withdrawn(), &right, nil, "present_after_no no own"},
		"one that somebody put back":                        {withdrawn(), new(holds("20261125120001", entry(other, false))), nil, "present_after_no no"},
		"a withdrawal that waits":                           {withdrawn(due), &right, nil, "1 waiting"},
		"both records empty":                                {withdrawn(), &empty, &empty, ""},
		"still present under the old number":                {withdrawn(), &empty, &right, "present_after_no no own"},
		"still present, and the new number is not known":    {withdrawn(), nil, &right, "present_after_no no own"},
		"shared under the new number only":                  {shared(), &right, &empty, ""},
		"shared under both numbers":                         {shared(), &right, new(holds("20261125120001", entry(other, false))), "on_other_number"},
		"missing, and left under the old number":            {shared(), &empty, &right, "share_missing own"},
		"the old number has no record":                      {shared(), &right, nil, ""},
	} {
		p := Person{ID: 1, Numbers: []Number{{Person: anna, Version: ours}}, States: map[contact.Channel]plan.State{contact.Mobile: row.state}}
		a := answers{listed: map[contact.PersonID]register.Listed{}}
		if row.head != nil {
			a.listed[anna] = register.Listed{Record: *row.head, Profile: plan.Profile{Primary: anna}}
		}
		if row.old != nil {
			p.Numbers = append(p.Numbers, Number{Person: annas, Version: ours})
			a.listed[annas] = register.Listed{Record: *row.old, Profile: plan.Profile{Primary: anna}}
		}
		found, waiting := compare(p, a)
		if got := told(found, waiting); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

func told(found []Finding, waiting int64) string {
	var out []string
	for _, f := range found {
		text := string(f.Kind)
		if f.No {
			text += " no"
		}
		if f.Own {
			text += " own"
		}
		out = append(out, text)
	}
	if waiting > 0 {
		out = append(out, fmt.Sprint(waiting, " waiting"))
	}
	return strings.Join(out, ", ")
}

func TestCompareNumbers(t *testing.T) {
	t.Parallel()
	right := holds(ours, entry(number, true))
	for name, row := range map[string]struct {
		state   plan.State
		profile plan.Profile
		known   bool // her old number is known here
		want    string
	}{
		"both know one number":                {shared(), plan.Profile{Primary: anna}, false, ""},
		"both know the old one":               {shared(), plan.Profile{Primary: anna, Others: []contact.PersonID{annas}}, true, ""},
		"the register knows another":          {shared(), plan.Profile{Primary: anna, Others: []contact.PersonID{annas}}, false, "number_unknown"},
		"the register takes another for hers": {shared(), plan.Profile{Primary: annas, Others: []contact.PersonID{anna}}, true, "number_unknown"},
		"another, and she has withdrawn":      {withdrawn(), plan.Profile{Primary: anna, Others: []contact.PersonID{annas}}, false, "number_unknown no, present_after_no no own"},
		"only we know the old one":            {shared(), plan.Profile{Primary: anna}, true, ""},
	} {
		p := Person{ID: 1, Numbers: []Number{{Person: anna, Version: ours}}, States: map[contact.Channel]plan.State{contact.Mobile: row.state}}
		if row.known {
			p.Numbers = append(p.Numbers, Number{Person: annas, Version: ours})
		}
		found, waiting := compare(p, answers{listed: map[contact.PersonID]register.Listed{anna: {Record: right, Profile: row.profile}}})
		if got := told(found, waiting); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

func TestCompareWhatTheRegisterWillNotTell(t *testing.T) {
	t.Parallel()
	p := Person{ID: 1, Numbers: []Number{{Person: anna}, {Person: annas}}, States: map[contact.Channel]plan.State{contact.Mobile: withdrawn()}}
	found, waiting := compare(p, answers{refused: map[contact.PersonID]bool{annas: true}})
	if got := told(found, waiting); got != "read_failed" || found[0].Channel != "" {
		t.Errorf("%q", got)
	}
}

// A difference stands only if nothing has changed around the read, and our last write was old enough to show in it.
func TestStands(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 25, 12, 0, 10, 0, time.UTC)
	const lag = 3 * time.Second
	person := func(writtenAgo time.Duration, state plan.State) Person {
		return Person{ID: 1, SeenAt: now, Numbers: []Number{{Person: anna, Version: ours, WrittenAt: now.Add(-writtenAgo)}},
			States: map[contact.Channel]plan.State{contact.Mobile: state}}
	}
	before := person(5*time.Second, shared())
	for name, row := range map[string]struct {
		after Person
		took  time.Duration
		want  bool
	}{
		"nothing has changed":                 {person(5*time.Second, shared()), time.Second, true},
		"written too shortly before the read": {person(5*time.Second, shared()), 2100 * time.Millisecond, false},
		"a newer decision":                    {person(5*time.Second, withdrawn()), time.Second, false},
		"due meanwhile":                       {person(5*time.Second, shared(due)), time.Second, false},
		"written meanwhile":                   {person(4*time.Second, shared()), time.Millisecond, false},
		"joined with another": {func() Person {
			p := person(5*time.Second, shared())
			p.Numbers = append(p.Numbers, Number{Person: annas})
			return p
		}(), time.Second, false},
		"another channel was decided on": {func() Person {
			p := person(5*time.Second, shared())
			p.States[contact.Email] = withdrawn(due)
			return p
		}(), time.Second, false},
		"somebody else": {Person{ID: 2, Numbers: before.Numbers, States: before.States, SeenAt: now}, time.Second, false},
	} {
		if got := before.stands(row.after, row.took, lag); got != row.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	never := Person{ID: 1, SeenAt: now, Numbers: []Number{{Person: anna}}, States: before.States}
	if !never.stands(never, time.Hour, lag) {
		t.Error("a record that we never wrote does not stand")
	}
}

func TestRemedy(t *testing.T) {
	t.Parallel()
	report, fix, restore := Options{}, Options{Fix: true}, Options{Fix: true, RestoreShares: true}
	for name, row := range map[string]struct {
		options Options
		finding Finding
		made    int64 // changes before, of 2 allowed
		want    Status
		changes int64
	}{
		"a report changes nothing":               {report, Finding{Kind: PresentAfterNo, No: true}, 0, Reported, 0},
		"a No is healed":                         {fix, Finding{Kind: PresentAfterNo, No: true}, 0, Healing, 0},
		"a No is healed beyond the safety stop":  {fix, Finding{Kind: PresentAfterNo, No: true}, 2, Healing, 0},
		"a share at our own version is restored": {fix, Finding{Kind: ShareMissing, Own: true}, 1, Healing, 1},
		"another's change takes a word":          {fix, Finding{Kind: ShareMissing}, 0, Foreign, 0},
		"and gets it":                            {restore, Finding{Kind: ValueDiffers}, 0, Healing, 1},
		"the safety stop":                        {restore, Finding{Kind: ShareMissing}, 2, Held, 0},
		"who a person is may always be asked":    {fix, Finding{Kind: NumberUnknown}, 0, Healing, 1},
		"and for a No beyond the safety stop":    {fix, Finding{Kind: NumberUnknown, No: true}, 2, Healing, 0},
		"what the register will not tell":        {restore, Finding{Kind: ReadFailed}, 0, Reported, 0},
	} {
		r := &Reconciler{cfg: Config{MaxChanges: 2}, run: Run{Options: row.options, Changes: row.made}}
		var changes int64
		if got := r.remedy(row.finding, &changes); got != row.want || changes != row.changes {
			t.Errorf("%s: %s and %d changes", name, got, changes)
		}
	}
}
