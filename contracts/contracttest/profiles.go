package contracttest

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/personprofilev5"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// ProfileRegister is a register under test that also tells who somebody is.
type ProfileRegister struct {
	Register              // Rich has an address, Protected a name
	Guardian  personv4.ID // has custody of Ward
	Ward      personv4.ID
	Replaced  personv4.ID // Primary has taken its place; both have a record
	Primary   personv4.ID
	Emigrated personv4.ID
}

// ProfileConformance is what every register must pass that serves GetPersonsForProfile and personv4 over the same records. Each
// test gets a register of its own.
func ProfileConformance(t *testing.T, newRegister func(t *testing.T) ProfileRegister) {
	t.Helper()
	for sentence, test := range map[string]func(profileRun, *testing.T){
		"there is one answer for each id, in their order":     profileRun.inOrder,
		"500 persons are answered, 501 are too many":          profileRun.limit,
		"a reserved profile is the caller's fault":            profileRun.reservedProfile,
		"a malformed identity is the caller's fault":          profileRun.malformed,
		"each profile holds all of the one before it":         profileRun.profiles,
		"P3 tells contact details as personv4 does":           profileRun.sameRecord,
		"what P3 tells can be written back through personv4":  profileRun.writeBack,
		"guardians and wards are told in P4, both ways":       profileRun.relations,
		"a replaced identity is answered by the primary one":  profileRun.replaced,
		"a replaced identity is answered by itself, if asked": profileRun.ignoreReferred,
		"who is dead or has emigrated is told so":             profileRun.deregistered,
		"the restricted contract tells P1 of the protected":   profileRun.protected,
		"a caller without permission gets VP007":              profileRun.stranger,
		"a wrong logical address gets VP004":                  profileRun.wrongAddress,
		"the WSDL is served to whoever may connect":           profileRun.wsdl,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			register := newRegister(t)
			served := Serve(t, register.Handler)
			test(profileRun{register, served, served.Profiles(t, register.System, register.LogicalAddress, false)}, t)
		})
	}
}

// profileRun is one test's register with a client that may do everything.
type profileRun struct {
	ProfileRegister
	served Served
	client *personprofilev5.Client
}

func (r profileRun) persons(
	t *testing.T, profile personprofilev5.Profile, ignoreReferred bool, ids ...personv4.ID,
) []*personprofilev5.Person {
	t.Helper()
	answers, err := r.client.Persons(t.Context(), ids, profile, ignoreReferred)
	if err != nil {
		t.Fatal(err)
	}
	var persons []*personprofilev5.Person
	for _, a := range answers {
		persons = append(persons, a.Person)
	}
	return persons
}

func (r profileRun) person(
	t *testing.T, id personv4.ID, profile personprofilev5.Profile, ignoreReferred bool,
) personprofilev5.Person {
	t.Helper()
	person := r.persons(t, profile, ignoreReferred, id)[0]
	if person == nil {
		t.Fatal("a person of the register is not known")
	}
	return *person
}

// call sends a request that our own client would not.
func (r profileRun) call(t *testing.T, request rawQuery) (answers int, err error) {
	t.Helper()
	op := personprofilev5.Operation(true)
	soap, err := rivta.NewClient(rivta.ClientConfig{BaseURL: r.served.URL, LogicalAddress: r.LogicalAddress, HTTP: r.served.HTTP(t, r.System)})
	if err != nil {
		t.Fatal(err)
	}
	body, err := xsd.Encode(op.Request(), &request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := soap.Call(t.Context(), op, body)
	return len(answer.Children), err
}

// rawQuery is a request as it travels.
type rawQuery struct {
	rivta.Redacted
	persons []personv4.ID
	profile string
}

// Walk tells the fields, for xsd.
func (x *rawQuery) Walk(w *xsd.Walker) {
	xsd.Many(w, "personId", &x.persons, xsd.Parts[personv4.ID](xml.Name{Space: personv4.Namespace, Local: "IIType"}))
	xsd.One(w, "profile", &x.profile, xsd.String())
	xsd.One(w, "ignoreReferredIdentity", new(bool), xsd.Boolean())
}

func (r profileRun) inOrder(t *testing.T) {
	ids := []personv4.ID{r.Rich, r.Unknown, r.Person, r.Deceased, r.Rich, r.Unknown}
	for i, person := range r.persons(t, personprofilev5.P1, false, ids...) {
		switch known := ids[i] != r.Unknown; {
		case known != (person != nil):
			t.Errorf("answer %d: a person is told: %v, want %v", i, person != nil, known)
		case known && person.ID != ids[i]:
			t.Errorf("answer %d is about somebody else", i)
		}
	}
}

func (r profileRun) limit(t *testing.T) {
	ids := slices.Repeat([]personv4.ID{r.Person, r.Unknown}, personprofilev5.MaxPersons/2)
	if got := len(r.persons(t, personprofilev5.P3, false, ids...)); got != personprofilev5.MaxPersons {
		t.Errorf("%d answers", got)
	}
	_, err := r.call(t, rawQuery{persons: append(ids, r.Person), profile: "P1"})
	wantFault(t, err, rivta.FaultClient, "")
	_, err = r.call(t, rawQuery{profile: "P1"})
	wantFault(t, err, rivta.FaultClient, "")
}

func (r profileRun) reservedProfile(t *testing.T) {
	for _, profile := range []string{"P6", "P10", "P0", ""} {
		_, err := r.call(t, rawQuery{persons: []personv4.ID{r.Person}, profile: profile})
		wantFault(t, err, rivta.FaultClient, "")
	}
	if answers, err := r.call(t, rawQuery{persons: []personv4.ID{r.Person}, profile: "P5"}); err != nil || answers != 1 {
		t.Errorf("P5: %d answers, error %v", answers, err)
	}
}

func (r profileRun) malformed(t *testing.T) {
	broken := r.Person
	broken.Extension = strings.Repeat("1", 12)
	_, err := r.call(t, rawQuery{persons: []personv4.ID{r.Rich, broken}, profile: "P1"})
	if fault := wantFault(t, err, rivta.FaultClient, ""); fault != nil && strings.Contains(fault.String, broken.Extension) {
		t.Error("the fault quotes the identity")
	}
}

// profiles compares what is told with what the contract leaves of the fullest profile.
func (r profileRun) profiles(t *testing.T) {
	for _, id := range []personv4.ID{r.Rich, r.Guardian, r.Ward, r.Protected, r.Emigrated, r.Primary} {
		whole := r.person(t, id, personprofilev5.P5, false)
		for _, profile := range []personprofilev5.Profile{personprofilev5.P1, personprofilev5.P2, personprofilev5.P3, personprofilev5.P4} {
			if diff := cmp.Diff(whole.Limited(profile), r.person(t, id, profile, false)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", profile, diff)
			}
		}
		if !whole.Test || whole.Name == nil || whole.Birth == nil || whole.Version == "" {
			t.Error("a test person has no mark of one, no name, no date of birth or no version")
		}
	}
	if r.person(t, r.Rich, personprofilev5.P2, false).Addresses == nil || r.person(t, r.Rich, personprofilev5.P1, false).Addresses != nil {
		t.Error("the address is not what makes P2 more than P1")
	}
}

func (r profileRun) contacts(t *testing.T) *personv4.Client {
	t.Helper()
	return r.served.Client(t, r.System, r.LogicalAddress, false)
}

func (r profileRun) sameRecord(t *testing.T) {
	for _, id := range []personv4.ID{r.Person, r.Rich, r.Protected, r.Deceased, r.Primary} {
		want, err := r.contacts(t).Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, profile := range []personprofilev5.Profile{personprofilev5.P3, personprofilev5.P4} {
			if diff := cmp.Diff(want, r.person(t, id, profile, false).Record()); diff != "" {
				t.Errorf("%s (-personv4 +profile):\n%s", profile, diff)
			}
		}
		if r.person(t, id, personprofilev5.P2, false).Record() != nil {
			t.Error("P2 gives what an update could be made of, without the contact details")
		}
	}
}

func (r profileRun) writeBack(t *testing.T) {
	before := r.person(t, r.Rich, personprofilev5.P3, false).Record()
	result, err := r.contacts(t).Update(t.Context(), Unchanged(*before))
	if err != nil || !result.OK {
		t.Fatalf("Update was refused: %q %v", result.Code, err)
	}
	after := r.person(t, r.Rich, personprofilev5.P3, false).Record()
	if after.Version <= before.Version || after.Actor == nil {
		t.Error("the update does not show")
	}
	if diff := cmp.Diff(Rest(t, *before), Rest(t, *after)); diff != "" {
		t.Errorf("writing back what was read changed the record (-before +after):\n%s", diff)
	}
}

func (r profileRun) relations(t *testing.T) {
	persons := r.persons(t, personprofilev5.P4, false, r.Guardian, r.Ward)
	if !slices.Contains(persons[0].Related(personprofilev5.Ward), r.Ward) {
		t.Error("the guardian has no ward")
	}
	if !slices.Contains(persons[1].Related(personprofilev5.Guardian), r.Guardian) {
		t.Error("the ward has no guardian")
	}
	if slices.Contains(persons[1].Related(personprofilev5.Ward), r.Guardian) {
		t.Error("the ward has custody of its guardian")
	}
	if r.person(t, r.Ward, personprofilev5.P3, false).Relations != nil {
		t.Error("P3 tells relations")
	}
}

func (r profileRun) replaced(t *testing.T) {
	persons := r.persons(t, personprofilev5.P3, false, r.Replaced, r.Primary)
	if diff := cmp.Diff(persons[1], persons[0]); diff != "" {
		t.Errorf("(-the primary identity's +the replaced one's):\n%s", diff)
	}
	if p := persons[0]; p.ID != r.Primary || !p.Primary || !slices.Contains(p.LinkedIDs(), r.Replaced) {
		t.Error("the answer is not about the primary identity, or does not tell of the replaced one")
	}
}

func (r profileRun) ignoreReferred(t *testing.T) {
	person := r.person(t, r.Replaced, personprofilev5.P3, true)
	if person.ID != r.Replaced || person.Primary || person.PrimaryID() != r.Primary {
		t.Error("the answer is not about the replaced identity, or does not tell of the primary one")
	}
	want, err := r.contacts(t).Get(t.Context(), r.Replaced)
	if diff := cmp.Diff(want, person.Record()); diff != "" || err != nil {
		t.Errorf("%v (-personv4 +profile):\n%s", err, diff)
	}
}

func (r profileRun) deregistered(t *testing.T) {
	persons := r.persons(t, personprofilev5.P1, false, r.Deceased, r.Emigrated, r.Person)
	if !persons[0].Deceased() || persons[1].Deceased() || persons[2].Deceased() {
		t.Error("not the deceased one, or not it alone, is dead")
	}
	if d := persons[1].Deregistration; d == nil || d.Reason == nil || *d.Reason != personprofilev5.Emigrated || d.Date == nil {
		t.Error("the emigrated one has not emigrated, or nobody knows when")
	}
	if persons[2].Deregistration != nil {
		t.Error("somebody is deregistered who is not")
	}
}

func (r profileRun) protected(t *testing.T) {
	restricted := r.served.Profiles(t, r.System, r.LogicalAddress, true)
	whole := r.persons(t, personprofilev5.P4, false, r.Protected, r.Rich)
	answers, err := restricted.Persons(t.Context(), []personv4.ID{r.Protected, r.Rich}, personprofilev5.P4, false)
	if err != nil {
		t.Fatal(err)
	}
	if !whole[0].Protected() || len(whole[0].Entries) == 0 {
		t.Fatal("the Unrestricted contract does not show a protected person's entries")
	}
	if diff := cmp.Diff(new(whole[0].Blanked()), answers[0].Person); diff != "" {
		t.Errorf("a protected person, restricted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(whole[1], answers[1].Person); diff != "" {
		t.Errorf("a person without protection, restricted (-want +got):\n%s", diff)
	}
	if p := answers[0].Person; p.Addresses != nil || p.Entries != nil || p.Version != "" || p.Locality != nil || p.Relations != nil {
		t.Error("the restricted contract tells where a protected person is or how to reach it")
	}
}

func (r profileRun) stranger(t *testing.T) {
	for _, restricted := range []bool{false, true} {
		_, err := r.served.Profiles(t, r.Stranger, r.LogicalAddress, restricted).
			Persons(t.Context(), []personv4.ID{r.Person}, personprofilev5.P1, false)
		wantFault(t, err, rivta.FaultServer, "VP007")
	}
}

func (r profileRun) wrongAddress(t *testing.T) {
	_, err := r.served.Profiles(t, r.System, "SE2321000016-0000", false).
		Persons(t.Context(), []personv4.ID{r.Person}, personprofilev5.P1, false)
	wantFault(t, err, rivta.FaultClient, "VP004")
}

func (r profileRun) wsdl(t *testing.T) {
	for _, unrestricted := range []bool{false, true} {
		op := personprofilev5.Operation(unrestricted)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.served.URL+op.Path()+"?wsdl", nil)
		if err != nil {
			t.Fatal(err)
		}
		status, text := run{Register: r.Register, served: r.served}.send(t, r.Stranger, request)
		if status != http.StatusOK || !strings.Contains(text, `location="`+r.served.URL+op.Path()+`"`) {
			t.Errorf("%s: status %d, want a WSDL that tells its own address:\n%s", op.Name, status, text)
		}
	}
}
