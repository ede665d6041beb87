package personv4

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"contactsync/contracts/rivta"
	"contactsync/contracts/xsd"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scripted is a register that gives one answer.
type scripted struct {
	record *Record
	result Result
	err    error
}

func (s scripted) Authorize(context.Context, rivta.Caller, rivta.Operation, string) error { return nil }

func (s scripted) Get(context.Context, rivta.Caller, ID, bool) (*Record, error) {
	return s.record, s.err
}

func (s scripted) Update(context.Context, rivta.Caller, Update, bool) (Result, error) {
	return s.result, s.err
}

// tap is a Doer that hands requests straight to a handler and keeps what went through.
type tap struct {
	handler         http.Handler
	request, answer []byte
}

func (d *tap) Do(r *http.Request) (*http.Response, error) {
	var err error
	if d.request, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(d.request))
	serial := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "SE2321000016-SYS1"}
	cert := &x509.Certificate{Subject: pkix.Name{Names: []pkix.AttributeTypeAndValue{serial}}}
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	d.answer = w.Body.Bytes()
	return w.Result(), nil
}

func wired(t *testing.T, s scripted, twin bool) (*Client, *tap) {
	t.Helper()
	logID := func() string { return "00000000-0000-4000-8000-000000000000" }
	d := &tap{handler: NewHandler(s, HandlerConfig{LogicalAddress: "SE165565594230-1000", Authorizer: s, NewLogID: logID})}
	client, err := NewClient(ClientConfig{Restricted: !twin, ClientConfig: rivta.ClientConfig{
		BaseURL: "https://register.example", LogicalAddress: "SE165565594230-1000", HTTP: d}})
	if err != nil {
		t.Fatal(err)
	}
	return client, d
}

// fullRecord has every element of the schema, and something unknown wherever there is room.
func fullRecord() Record {
	unknown := []rivta.Element{{Name: xml.Name{Space: "urn:example:elsewhere", Local: "kept"},
		Attrs: []xml.Attr{{Name: xml.Name{Space: "urn:example:attributes", Local: "since"}, Value: "2026"}},
		Text:  " as ", Children: []rivta.Element{{Name: xml.Name{Local: "it"}, Text: "is\r\n", Tail: "&"}}}}
	person := ID{Root: RootPersonnummer, Extension: "201701012393"}
	full := Entry{Type: "tel", Use: new("mobile"), Value: new("+46701740605"), Rank: new(1), Comment: new("på <dagtid>"),
		Period: &Period{Start: new("2026-01-01"), End: new("2027-12-31"), Unknown: unknown}, DigitalNotification: new(true),
		Unknown: unknown}
	organization := ID{Root: "2.5.4.97", Extension: "556559-4230", Unknown: toText(unknown)}
	return Record{
		Version: "20261123120000", Person: person, Entries: []Entry{full, {Type: "mail", Value: new("")}},
		ContactPersons: []ContactPerson{{Relationship: "son", PriorityOrder: new(2), GivenName: new("Tove"), SurName: new("Testsson"),
			MiddleName: new(""), Address: &Address{CareOf: new("Testsson"), PostalAddress1: new("Provgatan 1"),
				PostalAddress2: new("lgh 1001"), PostalCode: new(12345), City: new("Provköping"), Unknown: unknown},
			Entries: []Entry{full}, Unknown: unknown}},
		ProtectedPerson: true, ProtectedPopulation: new(false), OptoutPaper: new(true),
		Actor: &Actor{ID: ID{Root: "1.2.752.29.6.2.1", Extension: "SE2321000016-10F4"},
			Professional: &Professional{Organization: organization, Unknown: unknown}, UpdateTime: "20261123120000", Unknown: unknown},
		Unknown: unknown,
	}
}

func fullUpdate() Update {
	r := fullRecord()
	return Update{Actor: *r.Actor, Person: r.Person, VersionToUpdate: r.Version, Entries: r.Entries,
		ContactPersons: r.ContactPersons, OptoutPaper: r.OptoutPaper, Unknown: r.Unknown}
}

// TestWire compares what client and server say to each other with golden files, and has the official schemas judge it.
func TestWire(t *testing.T) {
	t.Parallel()
	record := fullRecord()
	for _, twin := range []bool{false, true} {
		var files []string
		schemaOf := map[string]string{}
		get := func(name string, s scripted) {
			client, d := wired(t, s, twin)
			got, err := client.Get(t.Context(), record.Person)
			if diff := cmp.Diff(s.record, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-sent +received):\n%s", name, err, diff)
			}
			files = append(files, golden(t, GetOperation(twin).Name+"_"+name, d)...)
		}
		get("record", scripted{record: &record})
		get("no_record", scripted{})
		put := func(name string, s scripted) {
			client, d := wired(t, s, twin)
			got, err := client.Update(t.Context(), fullUpdate())
			if diff := cmp.Diff(s.result, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-sent +received):\n%s", name, err, diff)
			}
			files = append(files, golden(t, UpdateOperation(twin).Name+"_"+name, d)...)
		}
		put("done", scripted{result: Result{OK: true, Record: &record}})
		put("refused", scripted{result: Result{Text: "Uppgifterna har ändrats av någon annan.", Code: "stale_version"}})
		t.Run(GetOperation(twin).Name, func(t *testing.T) {
			for kind, path := range officialSchemas(t, twin) {
				schemaOf[kind] = path
			}
			validPayloads(t, files, schemaOf)
		})
	}
}

// golden compares both messages with their files, and returns the files' paths.
func golden(t *testing.T, name string, d *tap) []string {
	t.Helper()
	var paths []string
	for suffix, text := range map[string][]byte{"_request.xml": d.request, "_answer.xml": d.answer} {
		path := filepath.Join(testdata, "golden", name+suffix)
		paths = append(paths, path)
		if *update {
			if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	return paths
}

// validPayloads has the official schemas judge what the envelopes in the files hold.
func validPayloads(t *testing.T, files []string, schemaOf map[string]string) {
	dir := t.TempDir()
	batches := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		body := root.Children[len(root.Children)-1].Children[0]
		path := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(path, rivta.Append(nil, body), 0o600); err != nil {
			t.Fatal(err)
		}
		kind := strings.ToLower(filepath.Base(file)[:3])
		if kind == "upd" {
			kind = "update"
		}
		batches[kind] = append(batches[kind], path)
	}
	for kind, batch := range batches {
		for file, valid := range xmllint(t, schemaOf[kind], batch) {
			if !valid {
				t.Errorf("%s is not valid by the official schema", filepath.Base(file))
			}
		}
	}
}

func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"fault_not_allowed": rivta.NotAllowed("SE2321000016-SYS1"),
		"fault_technical":   errors.New("database is down: 201701012393"),
	} {
		client, d := wired(t, scripted{err: err}, true)
		_, got := client.Get(t.Context(), fullRecord().Person)
		if fault, ok := errors.AsType[*rivta.Fault](got); !ok || fault.Code != rivta.FaultServer || fault.LogID == "" {
			t.Errorf("%s: %v", name, got)
		}
		golden(t, name, d)
	}
}

// TestInvalidAnswersOfTheRegisterAreOurFault: a register that answers what the schema forbids makes no invalid message.
func TestInvalidAnswersOfTheRegisterAreOurFault(t *testing.T) {
	t.Parallel()
	client, _ := wired(t, scripted{record: &Record{Version: "short"}}, true)
	_, err := client.Get(t.Context(), fullRecord().Person)
	if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.Code != rivta.FaultServer {
		t.Errorf("error %v, want a Server fault", err)
	}
}

func TestMalformedIdentityInAnUpdate(t *testing.T) {
	t.Parallel()
	for sentence, spoil := range map[string]func(*Update){
		"person":       func(u *Update) { u.Person.Extension = "201701012394" },
		"actor":        func(u *Update) { u.Actor.ID = u.Person; u.Actor.ID.Extension = "" },
		"organisation": func(u *Update) { u.Actor.Professional.Organization.Root = "" },
	} {
		client, _ := wired(t, scripted{}, true)
		u := fullUpdate()
		spoil(&u)
		_, err := client.Update(t.Context(), u)
		if fault, ok := errors.AsType[*rivta.Fault](err); !ok || fault.Code != rivta.FaultClient {
			t.Errorf("%s: error %v, want a Client fault", sentence, err)
		}
	}
}

// TestWSDLSaysTheSame compares the WSDL we serve with the official one, element by element, with names in content resolved.
// Addresses, and the order of what has no order, may differ.
func TestWSDLSaysTheSame(t *testing.T) {
	t.Parallel()
	name := UpdateOperation(true).Name
	path := filepath.Join(requireOfficial(t), "interactions", name+"Interaction", name+"Interaction_4.0_RIVTABP21.wsdl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours, _ := documents(UpdateOperation(true)).Find("", func(string) string { return "" })
	if diff := cmp.Diff(outline(t, text), outline(t, ours)); diff != "" {
		t.Errorf("(-official +ours):\n%s", diff)
	}
}

// outline is a document as lines: each element with its attributes, and how deep it is.
func outline(t *testing.T, text []byte) string {
	t.Helper()
	root, err := rivta.Parse(bytes.NewReader(text), rivta.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(e rivta.Element, depth int)
	walk = func(e rivta.Element, depth int) {
		fmt.Fprintf(&b, "%s%s", strings.Repeat(" ", depth), e.Name)
		values := map[string]string{}
		for _, attr := range e.Attrs {
			switch attr.Name.Local {
			case "element", "message", "binding", "type": // names in content
				values[attr.Name.Local] = fmt.Sprint(xsd.TypeName(e, attr.Value))
			case "location", "schemaLocation":
			default:
				if attr.Name.Space != "xmlns" {
					values[attr.Name.Local] = attr.Value
				}
			}
		}
		fmt.Fprintln(&b, values)
		for _, child := range e.Children {
			walk(child, depth+1)
		}
	}
	walk(root, 0)
	return b.String()
}
