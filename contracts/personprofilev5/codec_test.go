package personprofilev5

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

// thinned draws which of the optional fields stay.
func thinned(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice:
		if v.IsNil() || !rapid.Bool().Draw(t, "stays") {
			v.SetZero()
			return
		}
		if v.Kind() == reflect.Pointer {
			copied := reflect.New(v.Type().Elem()) // parts of fullPerson are shared
			copied.Elem().Set(v.Elem())
			v.Set(copied)
			thinned(t, v.Elem())
			return
		}
		for i := range v.Len() {
			thinned(t, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[rivta.Element]() {
			return
		}
		for i := range v.NumField() {
			thinned(t, v.Field(i))
		}
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := fullPerson()
		thinned(t, reflect.ValueOf(&want).Elem())
		text, err := MarshalPerson(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := UnmarshalPerson(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}

// TestEachProfile looks at which elements of a person with all of them a profile shows.
func TestEachProfile(t *testing.T) {
	t.Parallel()
	p1 := []string{"personalIdentity", "identityLevel", "identityLevelDate", "gender", "protectedPersonIndicator", "testIndicator",
		"primaryIdentity", "name", "linkedIdentity", "referredPersonalIdentities", "birth", "populationRegistrationLocality", "deregistration",
		"personalIdentityStatus", "protectedPopulationRecord"}
	p2 := append(slices.Clone(p1), "populationRegistrationRecord", "addressInformation", "confirmedIdentity", "administrativeInformation",
		"attachment")
	p3 := append(slices.Clone(p2), "version", "contactInformation", "contactPerson", "updatePersonActor",
		"updatePersonContactInformationActor", "optoutPaperNotification", "kept")
	p4 := append(slices.Clone(p3), "maritalStatus", "immigration", "citizenship", "relationship", "coOrdinationNumberData")
	for profile, want := range map[Profile][]string{P1: p1, P2: p2, P3: p3, P4: p4, P5: p4} {
		slices.Sort(want)
		if diff := cmp.Diff(want, elements(t, fullPerson().Limited(profile))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", profile, diff)
		}
	}
	blanked := slices.DeleteFunc(slices.Clone(p1), func(name string) bool { return name == "populationRegistrationLocality" })
	if diff := cmp.Diff(blanked, elements(t, fullPerson().Blanked())); diff != "" {
		t.Errorf("blanked (-want +got):\n%s", diff)
	}
}

// elements are the names of what the person holds, each once.
func elements(t *testing.T, x Person) []string {
	t.Helper()
	text, err := xsd.Encode(personName(), &x)
	if err != nil {
		t.Fatal(err)
	}
	e, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, child := range e.Children {
		names = append(names, child.Name.Local)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestWhatProfilesShowInside(t *testing.T) {
	t.Parallel()
	full, p1, p3 := fullPerson(), fullPerson().Limited(P1), fullPerson().Limited(P3)
	if diff := cmp.Diff(&Locality{CountyCode: full.Locality.CountyCode}, p1.Locality); diff != "" {
		t.Errorf("registration in P1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Birth{Date: full.Birth.Date}, p3.Birth); diff != "" {
		t.Errorf("birth in P3 (-want +got):\n%s", diff)
	}
	if p4 := full.Limited(P4); p4.Registration.History != nil || p4.Birth.Abroad == nil || full.Limited(P5).Registration.History == nil {
		t.Error("history is not what makes P5 more than P4")
	}
	if diff := cmp.Diff(fullPerson(), full); diff != "" {
		t.Errorf("limiting changed what it was given (-before +after):\n%s", diff)
	}
}

func TestWhoIsWho(t *testing.T) {
	t.Parallel()
	old, primary, third := personv4.ID{Root: personv4.RootSamordningsnummer, Extension: "197010632391"}, personnummer("201701012393"),
		personnummer("198507099805")
	replaced := Person{ID: old, Linked: []LinkedIdentity{{ID: third}, {ID: primary, Primary: true}}}
	current := Person{ID: primary, Primary: true, Linked: []LinkedIdentity{{ID: old}, {ID: third}}}
	alone := Person{ID: primary, Primary: true}
	for sentence, row := range map[string]struct{ got, want []personv4.ID }{
		"a replaced identity": {replaced.LinkedIDs(), []personv4.ID{primary, old, third}},
		"the one in force":    {current.LinkedIDs(), []personv4.ID{primary, old, third}},
		"the only one":        {alone.LinkedIDs(), []personv4.ID{primary}},
	} {
		if !slices.Equal(row.got, row.want) {
			t.Errorf("%s is not linked as it should be", sentence)
		}
	}
	family := Person{Relations: []Relation{{Type: Ward, Other: RelationID{Person: &old}}, {Type: Guardian, Other: RelationID{Person: &primary}},
		{Type: Ward, Other: RelationID{Person: &third}, To: date("2020-01-01")}, {Type: Ward, Other: RelationID{Born: date("2020-01-01")}}}}
	if !slices.Equal(family.Related(Ward), []personv4.ID{old}) || !slices.Equal(family.Related(Guardian), []personv4.ID{primary}) {
		t.Error("wards and guardians are mixed up, or one that is over counts")
	}
}

func TestWhoIsDeceased(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		person Person
		want   bool
	}{
		"nothing is told":                    {Person{}, false},
		"emigrated":                          {Person{Deregistration: &Deregistration{Reason: new(Emigrated)}}, false},
		"dead":                               {Person{Deregistration: &Deregistration{Reason: new(Deceased)}}, true},
		"found dead":                         {Person{Deregistration: &Deregistration{FoundDead: date("2024-01-09")}}, true},
		"replaced":                           {Person{IdentityStatus: &IdentityStatus{Cause: new(CauseReplaced)}}, false},
		"a coordination number's owner died": {Person{IdentityStatus: &IdentityStatus{Cause: new(CauseDeceased)}}, true},
	} {
		if got := row.person.Deceased(); got != row.want {
			t.Errorf("%s: deceased %v, want %v", sentence, got, row.want)
		}
	}
}

// TestContactDetailsAreARecord: what a profile shows of contact details can be written back by personv4.
func TestContactDetailsAreARecord(t *testing.T) {
	t.Parallel()
	full := fullPerson()
	record := full.Limited(P3).Record()
	want := personv4.Record{Version: full.Version, Person: full.ID, Entries: full.Entries, ContactPersons: full.ContactPersons,
		ProtectedPerson: true, ProtectedPopulation: new(false), OptoutPaper: new(true), Actor: full.Actor, Unknown: full.Unknown}
	if diff := cmp.Diff(&want, record); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if full.Limited(P2).Record() != nil || full.Blanked().Record() != nil {
		t.Error("what shows no contact details makes a record, and writing it back would wipe them")
	}
}

// TestNothingPersonalIsPrinted goes through all types that a message is made of.
func TestNothingPersonalIsPrinted(t *testing.T) {
	t.Parallel()
	full := fullPerson()
	for _, value := range []any{full, &full, Answer{Asked: full.ID, Person: &full}, []Answer{{Person: &full}}, Query{Persons: []personv4.ID{full.ID}},
		*full.Name, *full.Addresses, full.Relations, *full.Birth} {
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "value", value)
		text, _ := json.Marshal(value)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			fmt.Fprintf(&logged, verb, value)
		}
		for _, secret := range []string{"201701012393", "Testsson", "Provgatan", "1985"} {
			if strings.Contains(logged.String()+string(text), secret) {
				t.Errorf("%T prints what it holds", value)
			}
		}
	}
	redacts := reflect.TypeFor[rivta.Redacted]()
	var check func(reflect.Type)
	check = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			check(of.Elem())
		case reflect.Struct:
			if field, ok := of.FieldByName("Redacted"); of != redacts && (!ok || field.Type != redacts) {
				t.Errorf("%s does not redact itself", of)
			}
			for i := range of.NumField() {
				if of.Field(i).Type != of && of.PkgPath() == reflect.TypeFor[Person]().PkgPath() {
					check(of.Field(i).Type)
				}
			}
		}
	}
	check(reflect.TypeFor[Answer]())
}

// FuzzDecode feeds any text to both decoders. What one accepts must survive being written and read again.
func FuzzDecode(f *testing.F) {
	op := Operation(false)
	full := fullPerson()
	for name, body := range map[xml.Name]xsd.Body{
		op.Request():  &request{[]personv4.ID{full.ID}, P3, true},
		op.Response(): &response{[]Answer{{Asked: full.ID, Person: &full}}},
	} {
		text, err := xsd.Encode(name, body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := rivta.Parse(strings.NewReader(text), rivta.Limits{})
		if err != nil {
			return
		}
		stable(t, op.Request(), e, func() *request { return &request{} })
		stable(t, op.Response(), e, func() *response { return &response{} })
	})
}

func stable[B xsd.Body](t *testing.T, name xml.Name, e rivta.Element, fresh func() B) {
	t.Helper()
	first, second := fresh(), fresh()
	if xsd.Decode(name, first, e) != nil {
		return
	}
	once, err := xsd.Encode(name, first)
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	if e, err = rivta.Parse(bytes.NewReader(once), rivta.Limits{Bytes: 8 << 20}); err != nil {
		t.Fatalf("what was written is refused: %v", err)
	}
	if err := xsd.Decode(name, second, e); err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	twice, err := xsd.Encode(name, second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(once), string(twice)); diff != "" {
		t.Fatalf("(-once +twice):\n%s", diff)
	}
}
