package mockregister

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// profiles asks, by states, as a system that may do everything or one that may not see the protected.
func (s served) profiles(
	t *testing.T, as string, profile personprofilev5.Profile, states ...string,
) map[string]personprofilev5.Person {
	t.Helper()
	var ids []personv4.ID
	for _, state := range states {
		ids = append(ids, s.id(t, state))
	}
	answers := must(s.Profiles(t, as, address, as == clinic).Persons(t.Context(), ids, profile, false))(t)
	persons := map[string]personprofilev5.Person{}
	for i, state := range states {
		persons[state] = *answers[i].Person
	}
	return persons
}

// related are the states of those to whom the person has the relation.
func (s served) related(x personprofilev5.Person, kind string) []string {
	var states []string
	for _, id := range x.Related(kind) {
		for state, p := range s.persons {
			if p.Extension == id.Extension {
				states = append(states, state)
			}
		}
	}
	slices.Sort(states)
	return states
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, row := range []struct {
		as, state, kind string
		want            []string
	}{
		{worker, "guardian", personprofilev5.Ward, []string{"child_13", "child_under_13"}},
		{worker, "child_under_13", personprofilev5.Guardian, []string{"guardian"}},
		{worker, "child_under_13", personprofilev5.Mother, []string{"guardian"}},
		{worker, "guardian", personprofilev5.Child, []string{"child_under_13"}},
		{worker, "guardian_of_two", personprofilev5.Ward, []string{"elder_sibling", "younger_sibling"}},
		{worker, "second_guardian", personprofilev5.Ward, []string{"elder_sibling"}},
		{worker, "second_guardian", personprofilev5.Child, []string{"elder_sibling", "younger_sibling"}},
		{worker, "elder_sibling", personprofilev5.Guardian, []string{"guardian_of_two", "second_guardian"}},
		{worker, "elder_sibling", personprofilev5.Father, []string{"second_guardian"}},
		{worker, "empty", personprofilev5.Mother, []string{"deceased"}},
		{worker, "empty", personprofilev5.Guardian, nil},
		{worker, "child_of_protected_guardian", personprofilev5.Guardian, []string{"protected_guardian"}},
		{worker, "protected_guardian", personprofilev5.Ward, []string{"child_of_protected_guardian"}},
		{worker, "guardian_of_protected_child", personprofilev5.Ward, []string{"protected_child"}},
		{clinic, "guardian_of_two", personprofilev5.Ward, []string{"elder_sibling", "younger_sibling"}},
		{clinic, "child_of_protected_guardian", personprofilev5.Guardian, nil},
		{clinic, "protected_guardian", personprofilev5.Ward, nil},
		{clinic, "guardian_of_protected_child", personprofilev5.Ward, nil},
	} {
		got := s.related(s.profiles(t, row.as, personprofilev5.P4, row.state)[row.state], row.kind)
		if !slices.Equal(row.want, got) {
			t.Errorf("%s asks for %s of %s: %v, want %v", row.as, row.kind, row.state, got, row.want)
		}
	}
}

func TestRelationsTellNameAndDeath(t *testing.T) {
	t.Parallel()
	s := serve(t)
	child := s.profiles(t, worker, personprofilev5.P4, "empty")["empty"]
	want := personprofilev5.Relation{
		Other: personprofilev5.RelationID{Person: new(s.id(t, "deceased"))}, Type: personprofilev5.Mother,
		Name:           &personprofilev5.Name{GivenName: new("Disa"), Surname: new("Testsson")},
		Deregistration: &personprofilev5.Deregistration{Reason: new(personprofilev5.Deceased), Date: dayText("2024-01-09")},
	}
	if diff := cmp.Diff([]personprofilev5.Relation{want}, child.Relations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReplacedIdentity(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client := s.Profiles(t, worker, address, false)
	ids := []personv4.ID{s.id(t, "replaced_coordination_number"), s.id(t, "replacing_personal_number")}
	answers := must(client.Persons(t.Context(), ids, personprofilev5.P1, true))(t)
	old, primary := answers[0].Person, answers[1].Person
	if old.Primary || !primary.Primary || old.IdentityStatus == nil || *old.IdentityStatus.Cause != personprofilev5.CauseReplaced ||
		len(old.Referred) != 1 || old.Referred[0].ID != primary.ID || primary.Referred != nil {
		t.Error("the two do not say which of them has replaced the other")
	}
	if !slices.Equal(old.LinkedIDs(), primary.LinkedIDs()) || len(old.LinkedIDs()) != 2 {
		t.Error("the two do not tell of each other")
	}
	if a, b := s.record(t, "replaced_coordination_number"), s.record(t, "replacing_personal_number"); len(a.Entries) == 0 || len(b.Entries) != 0 {
		t.Error("the two have not each a record of their own")
	}
}

// TestLinkedIdentitiesAreProtectedAlike, as they must be by TKB 5.1 ch. 4.
func TestLinkedIdentitiesAreProtectedAlike(t *testing.T) {
	t.Parallel()
	w := seeded(t, slog.DiscardHandler)
	var unlike int
	err := w.pool.QueryRow(t.Context(), `
		select count(*) from register.linked_identities l
		join register.persons o on o.root = l.root and o.extension = l.extension
		join register.persons p on p.root = l.primary_root and p.extension = l.primary_extension
		where (o.protected_person, o.protected_population) <> (p.protected_person, p.protected_population)
			or exists (select from register.linked_identities b where b.root = p.root and b.extension = p.extension)`).Scan(&unlike)
	if err != nil || unlike != 0 {
		t.Errorf("%d linked identities are not protected alike, or not linked to a primary one; error %v", unlike, err)
	}
}

func TestWhatIsInventedOfAPerson(t *testing.T) {
	t.Parallel()
	s := serve(t)
	persons := s.profiles(t, worker, personprofilev5.P4, "empty", "many_names", "emigrated", "protected_registration", "coordination_number")
	if x := persons["empty"]; *x.Name.GivenName != "Tove" || *x.Name.Surname != "Testsson" || *x.Gender != "K" ||
		x.Birth.Date.Value != "1972-05-17" || x.Addresses.Residential == nil || x.Locality.CountyCode == nil {
		t.Error("somebody of whom nothing special is known has not what everybody has")
	}
	if x := persons["many_names"]; *x.Name.NotificationName != "Flernamn, Maria" || x.Birth.Date == nil || x.Birth.Sweden == nil ||
		x.Addresses.Special == nil || x.MaritalStatus == nil {
		t.Error("what is known does not win over what is invented")
	}
	if x := persons["emigrated"]; x.Addresses.Residential != nil || x.Addresses.Abroad == nil || x.Locality != nil {
		t.Error("who has emigrated lives in Sweden")
	}
	if x := persons["protected_registration"]; x.Addresses != nil || x.Locality != nil {
		t.Error("the population register tells where somebody with protected registration lives")
	}
	if x := persons["coordination_number"]; x.Addresses != nil || x.Birth.Date.Value != "1979-05-17" || *x.IdentityStatus.Status != "AKTIVT" {
		t.Error("a coordination number is not what it should be")
	}
}

func TestBornOn(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"197205179804": "1972-05-17", "197905779836": "1979-05-17", "200002292384": "2000-02-29",
		"197000602394": "", "197000712391": "", "197005609806": "", // month or day unknown
	} {
		if got := bornOn(number); got != want {
			t.Errorf("a number of %q is read as %q", want, got)
		}
	}
}

// TestBulkAnswersAreBounded: each record is as large as it can be, and all of them together would be too much.
func TestBulkAnswersAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t)
	update := contracttest.Unchanged(s.record(t, "empty"))
	update.Entries = []personv4.Entry{{Type: typeMail, Comment: new(strings.Repeat("x", maxContent-2000))}}
	if result := must(s.client(t).Update(t.Context(), update))(t); !result.OK {
		t.Fatal(result.Code)
	}
	client := s.Profiles(t, worker, address, false)
	ask := func(n int, profile personprofilev5.Profile) error {
		_, err := client.Persons(t.Context(), slices.Repeat([]personv4.ID{s.id(t, "empty")}, n), profile, false)
		return err
	}
	if err := errors.Join(ask(16, personprofilev5.P3), ask(500, personprofilev5.P2)); err != nil {
		t.Errorf("what fits is not answered: %v", err)
	}
	if fault, ok := errors.AsType[*rivta.Fault](ask(17, personprofilev5.P3)); !ok || fault.Code != rivta.FaultClient {
		t.Errorf("%v, want a Client fault", fault)
	}
}

func TestFaultsHitBulkCallsByOneOfTheirPersons(t *testing.T) {
	t.Parallel()
	s := serve(t)
	contract := personprofilev5.Operation(true).Name
	for sentence, row := range map[string]struct {
		fault Fault
		hits  bool
	}{
		"one who is asked for":        {Fault{Kind: KindServerFault, Person: s.persons["guardian"].Extension}, true},
		"one who is not":              {Fault{Kind: KindServerFault, Person: s.persons["secrecy"].Extension}, false},
		"the contract":                {Fault{Kind: KindServerFault, Contract: contract}, true},
		"its twin":                    {Fault{Kind: KindServerFault, Contract: personprofilev5.Operation(false).Name}, false},
		"reads":                       {Fault{Kind: KindServerFault, Operation: classRead}, true},
		"writes":                      {Fault{Kind: KindServerFault, Operation: classWrite}, false},
		"the contract when it writes": {Fault{Kind: KindServerFault, Contract: contract, Operation: classWrite}, false},
	} {
		s.faults.ClearAll()
		_, err := s.faults.Set(row.fault)
		if err != nil {
			if row.hits {
				t.Errorf("%s: %v", sentence, err)
			}
			continue
		}
		_, err = s.Profiles(t, worker, address, false).
			Persons(t.Context(), []personv4.ID{s.id(t, "empty"), s.id(t, "guardian")}, personprofilev5.P1, false)
		if _, hit := errors.AsType[*rivta.Fault](err); hit != row.hits {
			t.Errorf("%s: error %v, want hit %v", sentence, err, row.hits)
		}
	}
}

func TestBulkReadsLagBehindWrites(t *testing.T) {
	t.Parallel()
	f := serveWith(t, Fault{Kind: KindReadLag, Duration: Duration(3 * time.Second)})
	before := f.record(t, "both_channels")
	update := contracttest.Unchanged(before)
	update.Entries = nil
	if result := must(f.client(t).Update(t.Context(), update))(t); !result.OK {
		t.Fatal(result.Code)
	}
	read := func() map[string]personprofilev5.Person {
		return f.profiles(t, worker, personprofilev5.P3, "empty", "both_channels")
	}
	if diff := cmp.Diff(&before, new(read()["both_channels"]).Record()); diff != "" {
		t.Errorf("a read that lags (-before the write +read):\n%s", diff)
	}
	if x := f.profiles(t, worker, personprofilev5.P2, "both_channels")["both_channels"]; x.Version != "" {
		t.Error("the lag shows what the profile does not hold")
	}
	if x := f.profiles(t, clinic, personprofilev5.P3, "secrecy")["secrecy"]; x.Version != "" {
		t.Error("the lag shows what the restricted contract hides")
	}
	f.now.pass(3 * time.Second)
	if x := read()["both_channels"]; len(x.Entries) != 0 || x.Version == before.Version {
		t.Error("the write does not show when its time has come")
	}
}

func TestBulkCallsLeaveOneLine(t *testing.T) {
	t.Parallel()
	s := serve(t)
	nobody := personv4.ID{Root: personv4.RootPersonnummer, Extension: plantedPerson}
	for want, ids := range map[string][]personv4.ID{
		"ok": {nobody, s.id(t, "guardian")}, "no_record": {nobody, nobody},
	} {
		must(s.Profiles(t, worker, address, false).Persons(t.Context(), ids, personprofilev5.P4, false))(t)
		text, line := s.nextLine(t)
		if line.Operation != "GetPersonsForProfileUnrestricted" || line.Outcome != want || line.Blame != blameNone || line.Caller != worker {
			t.Errorf("%s, want outcome %s", text, want)
		}
		if strings.Contains(text, plantedPerson) || strings.Contains(text, s.persons["guardian"].Extension) || strings.Contains(text, "Vera") {
			t.Errorf("a person is in the log: %s", text)
		}
	}
}
