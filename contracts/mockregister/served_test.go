package mockregister

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
)

// served is a seeded register behind mutual TLS.
type served struct {
	world
	contracttest.Served
	lines chan string // what the register logs, a line for each request
}

func serve(t testing.TB) served {
	t.Helper()
	lines := make(chan string, 1000)
	w := seeded(t, slog.NewJSONHandler(lineWriter(lines), nil))
	return served{w, contracttest.Serve(t, w.Handler()), lines}
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
	Operation        string
	Caller           string
	Outcome          string
	Blame            string
	CorrelationID    string `json:"correlation_id"`
	OriginalConsumer string `json:"original_consumer"`
	LogID            string `json:"log_id"`
	Cause            string
}

// client speaks the Unrestricted contracts as a system that may do everything.
func (s served) client(t *testing.T) *personv4.Client {
	t.Helper()
	return s.Client(t, worker, address, false)
}

func (w world) id(t *testing.T, state string) personv4.ID {
	t.Helper()
	p, ok := w.persons[state]
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
		t.Fatalf("get %s: record given %t, error %v", state, record != nil, err)
	}
	return *record
}

// post sends a message to the operation that reads, and returns status and answer.
func (s served) post(ctx context.Context, t *testing.T, as *http.Client, body string, headers http.Header) (int, string) {
	t.Helper()
	address := s.URL + personv4.GetOperation(true).Path()
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body)))(t)
	request.Header = headers
	response := must(as.Do(request))(t)
	defer response.Body.Close()
	return response.StatusCode, string(must(io.ReadAll(response.Body))(t))
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
