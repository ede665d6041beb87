package personprofilev5

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/wiretest"
	"contactsync/contracts/xsd"
)

const testdata = "../../testdata/contracts/"

var update = flag.Bool("update", false, "write the golden files anew")

// scripted is a register that gives one answer, and remembers what it was asked.
type scripted struct {
	answers []Answer
	asked   Query
}

func (s *scripted) Authorize(context.Context, rivta.Caller, rivta.Operation, string) error {
	return nil
}

func (s *scripted) Persons(_ context.Context, _ rivta.Caller, query Query) ([]Answer, error) {
	s.asked = query
	return s.answers, nil
}

func wired(t *testing.T, s *scripted, twin bool) (*Client, *wiretest.Tap) {
	t.Helper()
	logID := func() string { return "00000000-0000-4000-8000-000000000000" }
	tap := &wiretest.Tap{System: "SE2321000016-SYS1",
		Handler: NewHandler(s, HandlerConfig{LogicalAddress: "SE165565594230-1000", Authorizer: s, NewLogID: logID})}
	client, err := NewClient(ClientConfig{Restricted: !twin, ClientConfig: rivta.ClientConfig{
		BaseURL: "https://register.example", LogicalAddress: "SE165565594230-1000", HTTP: tap}})
	if err != nil {
		t.Fatal(err)
	}
	return client, tap
}

// exchange is a call about three persons: one of whom all is known, one whom the register does not know, and one of whom it tells
// no more than it must.
func exchange() (ids []personv4.ID, answers []Answer) {
	full := fullPerson()
	unknownID := personnummer("191212121212")
	bareID := personv4.ID{Root: personv4.RootSamordningsnummer, Extension: "197010632391"}
	return []personv4.ID{full.ID, unknownID, bareID},
		[]Answer{{Asked: full.ID, Person: &full, Unknown: unknown()}, {Asked: unknownID}, {Asked: bareID, Person: &Person{ID: bareID}}}
}

// TestWire compares what client and server say to each other with golden files, and has the official schemas judge it. That of
// the Unrestricted twin is not public: there ours judge, inside which the core schema is the official one.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, twin := range []bool{false, true} {
		t.Run(Operation(twin).Name, func(t *testing.T) {
			t.Parallel()
			ids, answers := exchange()
			s := &scripted{answers: answers}
			client, tap := wired(t, s, twin)
			got, err := client.Persons(t.Context(), ids, P4, true)
			if diff := cmp.Diff(answers, got); diff != "" || err != nil {
				t.Errorf("%v (-sent +received):\n%s", err, diff)
			}
			want := Query{Persons: ids, Profile: P4, IgnoreReferred: true, Unrestricted: twin}
			if diff := cmp.Diff(want, s.asked); diff != "" {
				t.Errorf("the register was asked (-want +got):\n%s", diff)
			}
			golden := filepath.Join(testdata, "golden", Operation(twin).Name+"_persons_")
			wiretest.Golden(t, golden+"request.xml", tap.Request, *update)
			wiretest.Golden(t, golden+"answer.xml", tap.Answer, *update)
			valid := wiretest.Valid(t, officialSchema(t, twin), []string{wiretest.Payload(t, tap.Request), wiretest.Payload(t, tap.Answer)})
			if slices.Contains(valid, false) {
				t.Errorf("request and answer are valid by the official schemas: %v", valid)
			}
		})
	}
}

func officialSchema(t *testing.T, twin bool) string {
	t.Helper()
	if !twin {
		return wiretest.Official(t, "interactions", "GetPersonsForProfileInteraction", "GetPersonsForProfileResponder_5.0.xsd")
	}
	core := wiretest.Official(t, "core_components", coreFile)
	return writeSchemas(t, twin, func(string) string { return core })
}

// servedSchema writes what the endpoints serve into files, and returns the one of request and answer.
func servedSchema(t *testing.T, twin bool) string {
	t.Helper()
	return writeSchemas(t, twin, func(file string) string { return file })
}

func writeSchemas(t *testing.T, twin bool, address func(string) string) string {
	t.Helper()
	dir, d := t.TempDir(), documents(Operation(twin))
	for _, name := range []string{coreFile, d.ResponderFile()} {
		text, ok := d.Find(name, address)
		if !ok {
			t.Fatalf("no document %s", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, d.ResponderFile())
}

// TestAllJudgeAlike holds three judges against each row of judged_profile.csv: our decoder, the schema we serve, and the official
// one. A row is the request or answer of TestWire with some text replaced.
func TestAllJudgeAlike(t *testing.T) {
	t.Parallel()
	for _, twin := range []bool{false, true} {
		t.Run(Operation(twin).Name, func(t *testing.T) {
			t.Parallel()
			rows, documents := judgements(t, twin)
			for i, row := range rows {
				if err := judge(documents[i], twin); (err == nil) != row.good {
					t.Errorf("%s: error %v, want good %v", row.sentence, err, row.good)
				}
			}
			for who, schema := range map[string]string{"served": servedSchema(t, twin), "official": officialSchema(t, twin)} {
				for i, valid := range wiretest.Valid(t, schema, documents) {
					if valid != rows[i].good {
						t.Errorf("%s: %s schema: valid %v, want %v", rows[i].sentence, who, valid, rows[i].good)
					}
				}
			}
		})
	}
}

type judgement struct {
	good     bool
	sentence string
}

func judgements(t *testing.T, twin bool) (rows []judgement, documents []string) {
	t.Helper()
	ids, answers := exchange()
	op := Operation(twin)
	base := map[string]string{}
	for message, body := range map[string]xsd.Body{"request": &request{ids, P4, true}, "answer": &response{answers}} {
		name := op.Request()
		if message == "answer" {
			name = op.Response()
		}
		text, err := xsd.Encode(name, body)
		if err != nil {
			t.Fatal(err)
		}
		base[message] = string(text)
	}
	file, err := os.Open(testdata + "judged_profile.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		verdict, message, sentence, find, replace := record[0], record[1], record[2], record[3], record[4]
		if !strings.Contains(base[message], find) {
			t.Fatalf("%s: nothing to replace", sentence)
		}
		rows = append(rows, judgement{verdict == "good", message + ": " + sentence})
		documents = append(documents, strings.Replace(base[message], find, replace, 1))
	}
	return rows, documents
}

// judge decodes a document as client and server do.
func judge(document string, twin bool) error {
	e, err := rivta.Parse(strings.NewReader(document), rivta.Limits{})
	if err != nil {
		return err
	}
	op := Operation(twin)
	if e.Name == op.Request() {
		return xsd.Decode(op.Request(), &request{}, e)
	}
	return xsd.Decode(op.Response(), &response{}, e)
}

// TestServedDocumentsSayTheSame compares WSDL and core schema with the official ones, declaration by declaration.
func TestServedDocumentsSayTheSame(t *testing.T) {
	t.Parallel()
	d := documents(Operation(false))
	address := func(string) string { return "" }
	official := func(path ...string) []byte {
		text, err := os.ReadFile(wiretest.Official(t, path...))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ours, _ := d.Find("", address)
	theirs := official("interactions", "GetPersonsForProfileInteraction", "GetPersonsForProfileInteraction_5.0_RIVTABP21.wsdl")
	if diff := cmp.Diff(wiretest.Outline(t, theirs), wiretest.Outline(t, ours)); diff != "" {
		t.Errorf("WSDL (-official +ours):\n%s", diff)
	}
	ours, _ = d.Find(coreFile, address)
	have, want := byType(wiretest.Outline(t, ours)), byType(wiretest.Outline(t, official("core_components", coreFile)))
	for name, declaration := range have {
		if diff := cmp.Diff(want[name], declaration); diff != "" {
			t.Errorf("%s (-official +ours):\n%s", name, diff)
		}
	}
	if len(have) < 50 {
		t.Errorf("only %d types are declared", len(have))
	}
}

// byType cuts the outline of a schema into its types.
func byType(lines []string) map[string][]string {
	types, name := map[string][]string{}, ""
	for _, line := range lines {
		if strings.HasPrefix(line, " {") { // a child of the schema
			name = line
		}
		if name != "" {
			types[name] = append(types[name], line)
		}
	}
	return types
}

func TestClientRefusesBeforeItSends(t *testing.T) {
	t.Parallel()
	client, tap := wired(t, &scripted{}, true)
	many := slices.Repeat([]personv4.ID{fullPerson().ID}, MaxPersons+1)
	for _, ids := range [][]personv4.ID{nil, many} {
		if _, err := client.Persons(t.Context(), ids, P1, false); !errors.Is(err, ErrPersons) {
			t.Errorf("%d persons: error %v, want ErrPersons", len(ids), err)
		}
	}
	if _, err := client.Persons(t.Context(), many[:1], "P11", false); err == nil {
		t.Error("a profile that there is not was asked for")
	}
	if tap.Request != nil {
		t.Error("something was sent")
	}
}

// TestAnswersComeInTheOrderOfTheIDs, whatever order the service has.
func TestAnswersComeInTheOrderOfTheIDs(t *testing.T) {
	t.Parallel()
	ids, answers := exchange()
	ids, answers = append(ids, ids[0]), append(answers, answers[0])
	shuffled := slices.Clone(answers)
	slices.Reverse(shuffled)
	client, _ := wired(t, &scripted{answers: shuffled}, true)
	got, err := client.Persons(t.Context(), ids, P4, false)
	if diff := cmp.Diff(answers, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAnswersAboutOthersAreRefused(t *testing.T) {
	t.Parallel()
	ids, answers := exchange()
	other := slices.Clone(answers)
	other[0].Asked = personnummer("198507099805")
	for sentence, given := range map[string][]Answer{
		"one is lacking": answers[:2], "one is too many": append(slices.Clone(answers), answers[0]), "one is of another": other,
		"one is given twice instead of another": {answers[0], answers[0], answers[1]},
	} {
		client, _ := wired(t, &scripted{answers: given}, true)
		if got, err := client.Persons(t.Context(), ids, P4, false); !errors.Is(err, errAnswers) || got != nil {
			t.Errorf("%s: %d answers, error %v", sentence, len(got), err)
		}
	}
}

func TestRequestsThatNoServiceGetsToSee(t *testing.T) {
	t.Parallel()
	id := fullPerson().ID
	for sentence, asked := range map[string]request{
		"more than 500 persons":                {slices.Repeat([]personv4.ID{id}, MaxPersons+1), P1, false},
		"a reserved profile":                   {[]personv4.ID{id}, "P6", false},
		"the last reserved profile":            {[]personv4.ID{id}, "P10", false},
		"a malformed identity among good ones": {[]personv4.ID{id, personnummer("201701012394"), id}, P1, false},
	} {
		s := &scripted{}
		_, tap := wired(t, s, false)
		soap, err := rivta.NewClient(rivta.ClientConfig{BaseURL: "https://register.example", LogicalAddress: "SE165565594230-1000", HTTP: tap})
		if err != nil {
			t.Fatal(err)
		}
		body, err := xsd.Encode(Operation(false).Request(), &asked)
		if err != nil {
			t.Fatal(err)
		}
		_, err = soap.Call(t.Context(), Operation(false), body)
		if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.Code != rivta.FaultClient || s.asked.Persons != nil {
			t.Errorf("%s: error %v, want a Client fault", sentence, err)
		}
		if strings.Contains(string(tap.Answer), "20170101") {
			t.Errorf("%s: the fault quotes an identity", sentence)
		}
	}
}
