package rivta

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func someOperation() Operation {
	return Operation{Domain: "some:domain", Name: "GetSomething", Major: 4}
}

// doer answers requests in place of a network.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func answering(status int, body string, header http.Header) doer {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func call(t *testing.T, ctx context.Context, d doer) (Element, error) {
	t.Helper()
	client, err := NewClient(ClientConfig{BaseURL: "https://register.example:8443", LogicalAddress: "SE165565594230-1000", HTTP: d})
	if err != nil {
		t.Fatal(err)
	}
	return client.Call(ctx, someOperation(), Append(nil, Element{Name: someOperation().Request()}))
}

func TestNewClientTellsAllFaults(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "http://register.example", "https://register.example/path", "https://a:b@register.example",
		"https://register.example?a", "https://", ":"} {
		_, err := NewClient(ClientConfig{BaseURL: base, Path: "rivta"})
		for _, name := range []string{"BaseURL", "Path", "LogicalAddress", "HTTP"} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%q: %v does not name %s", base, err, name)
			}
		}
	}
}

// A service platform has paths of its own.
func TestPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":    "/rivta/GetSomething/4/rivtabp21",
		"/vp": "/vp",
		"/vp/{domain}/{operation}/{major}/rivtabp21": "/vp/some/domain/GetSomething/4/rivtabp21",
	} {
		called := ""
		client, err := NewClient(ClientConfig{BaseURL: "https://platform.example", Path: path, LogicalAddress: "SE165565594230-1000",
			HTTP: doer(func(r *http.Request) (*http.Response, error) {
				called = r.URL.String()
				return nil, errors.New("not there")
			})})
		if err != nil {
			t.Errorf("%q: %v", path, err)
			continue
		}
		_, _ = client.Call(t.Context(), someOperation(), Append(nil, Element{Name: someOperation().Request()}))
		if called != "https://platform.example"+want {
			t.Errorf("%q: called %s, want %s", path, called, want)
		}
	}
	for _, path := range []string{"vp", "/vp?a=b", "/vp#a", "/vp/{minor}", "/vp/{operation", "/vp a", "/v\u00e5rd", "/vp\n"} {
		if IsPath(path) {
			t.Errorf("%q is taken for a path", path)
		}
	}
}

func TestOperationNames(t *testing.T) {
	t.Parallel()
	op := someOperation()
	for got, want := range map[string]string{
		op.Path():           "/rivta/GetSomething/4/rivtabp21",
		op.SOAPAction():     "urn:riv:some:domain:GetSomethingResponder:4:GetSomething",
		op.Namespace():      "urn:riv:some:domain:GetSomethingResponder:4",
		op.Response().Local: "GetSomethingResponse",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	ctx := WithCorrelationID(t.Context(), someUUID)
	_, _ = call(t, ctx, func(r *http.Request) (*http.Response, error) {
		for name, want := range map[string]string{
			"Content-Type":           "text/xml; charset=utf-8",
			"SOAPAction":             `"urn:riv:some:domain:GetSomethingResponder:4:GetSomething"`,
			"x-skltp-correlation-id": someUUID,
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if r.Method != http.MethodPost || r.URL.String() != "https://register.example:8443/rivta/GetSomething/4/rivtabp21" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		first, _ := io.ReadAll(r.Body)
		again, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		second, _ := io.ReadAll(again)
		if string(first) != string(second) || !strings.Contains(string(first), ">SE165565594230-1000</LogicalAddress>") {
			t.Errorf("sent %s, then %s", first, second)
		}
		return nil, errors.New("enough")
	})
	_, _ = call(t, t.Context(), func(r *http.Request) (*http.Response, error) {
		if id := r.Header.Get("x-skltp-correlation-id"); !uuidText.MatchString(id) || id == someUUID {
			t.Errorf("correlation id %q, want a fresh one", id)
		}
		return nil, errors.New("enough")
	})
}

func inBody(body string) string { return string(envelope([]byte(body))) }

func TestAnswers(t *testing.T) {
	t.Parallel()
	response := string(Append(nil, Element{Name: someOperation().Response(), Text: "here"}))
	e, err := call(t, t.Context(), answering(200, inBody(response), nil))
	if err != nil || e.Text != "here" || e.Name != (xml.Name{Space: someOperation().Namespace(), Local: "GetSomethingResponse"}) {
		t.Errorf("read %v, error %v", e.Name, err)
	}
	fault := inBody(string(NotAllowed("SE2321000016-1").append(nil)))
	for sentence, row := range map[string]struct {
		status  int
		body    string
		isFault bool
	}{
		"a fault":                          {500, fault, true},
		"a fault with the wrong status":    {200, fault, true},
		"a response with the wrong status": {500, inBody(response), false},
		"a response of another operation":  {200, inBody("<a/>"), false},
		"an overloaded service":            {503, fault, false},
		"a page":                           {200, "<html><body><p>error", false},
		"a proxy without a route":          {502, "Bad Gateway", false},
		"a redirect":                       {302, "", false},
		"nothing":                          {200, "", false},
		"no envelope":                      {200, "<a/>", false},
		"more than 4 MiB":                  {200, strings.Repeat(" ", 4<<20+1), false},
	} {
		_, err := call(t, t.Context(), answering(row.status, row.body, nil))
		status, isStatus := errors.AsType[*StatusError](err)
		_, isFault := errors.AsType[*Fault](err)
		if isFault != row.isFault || isStatus == row.isFault {
			t.Errorf("%s: error %v, want a fault: %v", sentence, err, row.isFault)
		}
		if isStatus && status.Status != row.status {
			t.Errorf("%s: status %d, want %d", sentence, status.Status, row.status)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Mon, 23 Nov 2026 12:00:00 GMT"
	for value, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"soon":                          0,
		"99999999999999":                0,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		_, err := call(t, t.Context(), answering(429, "", http.Header{"Retry-After": {value}, "Date": {date}}))
		status, ok := errors.AsType[*StatusError](err)
		if !ok || status.RetryAfter != want {
			t.Errorf("%q: error %v, want %v", value, err, want)
		}
	}
}

// broken is a body that ends with an error.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTransportErrors(t *testing.T) {
	t.Parallel()
	_, err := call(t, t.Context(), func(r *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: context.DeadlineExceeded}
	})
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "register.example") {
		t.Errorf("error %v, want the deadline without the address", err)
	}
	_, err = call(t, t.Context(), func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(broken{})}, nil
	})
	if _, isStatus := errors.AsType[*StatusError](err); isStatus || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want that of the connection", err)
	}
}
