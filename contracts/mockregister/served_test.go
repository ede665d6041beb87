package mockregister

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/testca"
)

// served is a seeded register behind mutual TLS.
type served struct {
	world
	server *httptest.Server
	ca     *testca.CA
	lines  chan string // what the register logs, a line for each call
}

func serve(t *testing.T) served {
	t.Helper()
	lines := make(chan string, 1000)
	w := seeded(t, slog.NewJSONHandler(lineWriter(lines), nil))
	ca := must(testca.New(time.Now()))(t)
	server := httptest.NewUnstartedServer(w.Handler())
	certPEM, keyPEM, err := ca.Issue("register", "", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = must(ca.ServerTLS(certPEM, keyPEM))(t)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return served{w, server, ca, lines}
}

// lineWriter hands on each line that is written.
type lineWriter chan string

func (w lineWriter) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

// nextLine waits for the next log line, which comes after the answer.
func (s served) nextLine(t *testing.T) (text string, line logLine) {
	t.Helper()
	select {
	case text = <-s.lines:
	case <-t.Context().Done():
		t.Fatal("no line was logged")
	}
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatal(err)
	}
	return text, line
}

type logLine struct {
	Operation     string
	Caller        string
	Outcome       string
	Blame         string
	CorrelationID string `json:"correlation_id"`
	LogID         string `json:"log_id"`
}

// as is an HTTP client with the certificate of a system. An empty HSA-id leaves SERIALNUMBER out.
func (s served) as(t *testing.T, hsaID string) *http.Client {
	t.Helper()
	return s.with(t, s.ca, hsaID)
}

// with is an HTTP client with a certificate of any authority, for a register that knows only its own.
func (s served) with(t *testing.T, issuer *testca.CA, hsaID string) *http.Client {
	t.Helper()
	certPEM, keyPEM, err := issuer.Issue("system", hsaID)
	if err != nil {
		t.Fatal(err)
	}
	config := must(s.ca.ClientTLS(certPEM, keyPEM))(t)
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// client speaks the Unrestricted contracts as a system that may do everything.
func (s served) client(t *testing.T) *personv4.Client { return s.clientOf(t, worker, false) }

func (s served) clientOf(t *testing.T, hsaID string, restricted bool) *personv4.Client {
	t.Helper()
	return must(personv4.NewClient(personv4.ClientConfig{Restricted: restricted, ClientConfig: rivta.ClientConfig{
		BaseURL: s.server.URL, LogicalAddress: address, HTTP: s.as(t, hsaID),
	}}))(t)
}

func (s served) id(t *testing.T, state string) personv4.ID {
	t.Helper()
	p, ok := s.persons[state]
	if !ok {
		t.Fatalf("nobody is %s", state)
	}
	return personv4.ID{Root: p.Root, Extension: p.Extension}
}

// record reads a test person's record, with all there is.
func (s served) record(t *testing.T, state string) personv4.Record {
	t.Helper()
	record, err := s.client(t).Get(t.Context(), s.id(t, state))
	if err != nil || record == nil {
		t.Fatalf("get %s: record %v, error %v", state, record, err)
	}
	return *record
}

// unchanged is an update that writes back what was read.
func unchanged(record personv4.Record) personv4.Update {
	return personv4.Update{
		Actor:           personv4.Actor{ID: record.Person},
		Person:          record.Person,
		VersionToUpdate: record.Version,
		Entries:         record.Entries,
		ContactPersons:  record.ContactPersons,
		OptoutPaper:     record.OptoutPaper,
		Unknown:         record.Unknown,
	}
}

// wire is a record as bytes on the wire, apart from what every update changes: version and actor.
func wire(t *testing.T, record personv4.Record) string {
	t.Helper()
	record.Version, record.Actor = "20000101000000", nil
	return string(must(personv4.MarshalRecord(record))(t))
}

// post sends a message to the operation that reads, and returns status and answer.
func (s served) post(ctx context.Context, t *testing.T, as *http.Client, body string, headers http.Header) (int, string) {
	t.Helper()
	op := personv4.GetOperation(true)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.URL+op.Path(), bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = headers
	response, err := as.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// must makes must(f())(t) end the test when f returned an error.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
