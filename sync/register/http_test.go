package register_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"contactsync/contracts/testca"
	"contactsync/sync/register"
)

// hangsUp is a server that takes each request and then drops the connection.
func hangsUp(t *testing.T) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// Trap 3 of DESIGN §4: the HTTP client must not resend an update.
func TestWriteIsSentOnceReadAgain(t *testing.T) {
	t.Parallel()
	reads, writes := register.HTTPClients(nil, 4, nil)
	for _, tt := range []struct {
		name   string
		client *http.Client
		want   int64
	}{{"a write that may have arrived is not repeated", writes, 1}, {"a read is repeated", reads, 3}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, requests := hangsUp(t)
			if _, err := tt.client.Post(url, "text/xml", strings.NewReader("<a/>")); err == nil {
				t.Error("no error")
			}
			if got := requests.Load(); got != tt.want {
				t.Errorf("sent %d times, want %d", got, tt.want)
			}
		})
	}
}

// turns counts how many calls were allowed.
type turns struct{ taken atomic.Int64 }

func (t *turns) Take(context.Context) (func(), error) {
	t.taken.Add(1)
	return func() {}, nil
}

// A request with an idempotency key is repeated, where a connection breaks that had been kept, but each time in a turn of its own.
func TestEachRequestHasItsTurn(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) == 2 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	var allowed turns
	client, _ := register.HTTPClients(nil, 1, &allowed)
	for range 2 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", "3b2a7f1e-0c5d-4f5e-9a63-2f3f6f0e8d10")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	if sent, taken := requests.Load(), allowed.taken.Load(); sent != 3 || taken != sent {
		t.Errorf("%d requests in %d turns, want 3 in as many", sent, taken)
	}
}

// A read that is repeated is the same read, and its length is told each time.
func TestEachAttemptSendsAll(t *testing.T) {
	t.Parallel()
	got := make(chan string, 3)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		got <- fmt.Sprint(string(text), r.ContentLength, r.TransferEncoding, err)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	reads, _ := register.HTTPClients(nil, 4, nil)
	for name, body := range map[string]io.Reader{"that can be had again": strings.NewReader("<a/>"), "that cannot": io.MultiReader(strings.NewReader("<a/>"))} {
		res, err := reads.Post(server.URL, "text/xml", body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		want := "<a/>4 [] <nil>"
		if name == "that cannot" {
			want = "<a/>-1 [chunked] <nil>"
		}
		for range 3 {
			if text := <-got; text != want {
				t.Errorf("a body %s arrived as %s", name, text)
			}
		}
	}
}

func TestWriteThatWasNeverSentIsRepeated(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, writes := register.HTTPClients(nil, 4, nil)
	began := time.Now()
	_, err = writes.Post("http://"+listener.Addr().String(), "text/xml", strings.NewReader("<a/>"))
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
		t.Errorf("error is %v", err)
	}
	if time.Since(began) > 2*time.Second {
		t.Error("the short retries took over two seconds")
	}
}

// A request that is given up must not close the connections of the others.
func TestFaultKeepsTheConnection(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	reads, _ := register.HTTPClients(nil, 4, nil)
	for range 5 {
		res, err := reads.Post(server.URL, "text/xml", strings.NewReader("<a/>"))
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusInternalServerError {
			t.Errorf("status %d", res.StatusCode)
		}
		_ = res.Body.Close()
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections for five calls", got)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	t.Cleanup(server.Close)
	_, writes := register.HTTPClients(nil, 4, nil)
	res, err := writes.Post(server.URL, "text/xml", strings.NewReader("<a/>"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusFound {
		t.Errorf("status %d", res.StatusCode)
	}
}

// mutual is a server and the configuration of its caller, who both have certificates.
func mutual(t *testing.T, h http.HandlerFunc) (url string, client *tls.Config) {
	t.Helper()
	ca, err := testca.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err1 := ca.Issue("register", "SE2321000016-CSR1", "127.0.0.1")
	clientCert, clientKey, err2 := ca.Issue("worker", "SE2321000016-CSW1")
	config, err3 := ca.ServerTLS(cert, key)
	client, err4 := ca.ClientTLS(clientCert, clientKey)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, client
}

// Another connection to a host that is known costs no other handshake with certificates, and the host knows still who calls.
func TestConnectionsShareAHandshake(t *testing.T) {
	t.Parallel()
	resumed := make(chan bool, 1)
	url, config := mutual(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.TLS.PeerCertificates[0].Subject.CommonName != "worker" {
			t.Error("somebody else calls")
		}
		resumed <- r.TLS.DidResume
	})
	_, writes := register.HTTPClients(config, 4, nil)
	for _, want := range []bool{false, true, true} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("<a/>"))
		if err != nil {
			t.Fatal(err)
		}
		request.Close = true
		res, err := writes.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := <-resumed; got != want {
			t.Errorf("the handshake is shared: %v, want %v", got, want)
		}
	}
}

// always lets every call go.
type always struct{ taken, given atomic.Int64 }

func (a *always) Take(context.Context) (func(), error) {
	a.taken.Add(1)
	return func() { a.given.Add(1) }, nil
}

// What is given up may still be on its way, and so it still counts as one of the calls of this second.
func TestAllowanceOfACallThatIsGivenUpIsNotGivenBack(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	allowance := &always{}
	_, writes := register.HTTPClients(nil, 4, allowance)
	call := func(path string) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := writes.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}
	call("/hangs")
	if taken, given := allowance.taken.Load(), allowance.given.Load(); taken != 1 || given != 0 {
		t.Errorf("of a call that hangs: %d taken, %d given back", taken, given)
	}
	call("/")
	if given := allowance.given.Load(); given != 1 {
		t.Errorf("of one that is answered: %d given back", given)
	}
}

// What answers may be anything. Nothing of it is told.
func TestNothingIsToldOfAnAnswerThatIsNoHTTP(t *testing.T) {
	t.Parallel()
	const number = "197205179802"
	for name, answer := range map[string]string{
		"no status":       number + " is no status\r\n\r\n",
		"an odd header":   "HTTP/1.1 200 OK\r\n" + number + " here\r\n\r\n",
		"two lengths":     "HTTP/1.1 200 OK\r\nContent-Length: " + number + "\r\nContent-Length: 2\r\n\r\nok",
		"an odd trailer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n0\r\n" + number + " here\r\n\r\n",
		"an odd encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + number + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = io.WriteString(conn, answer)
					_ = conn.Close()
				}
			}()
			t.Cleanup(func() { _ = l.Close(); <-ended })
			reads, writes := register.HTTPClients(nil, 1, nil)
			for _, client := range []*http.Client{reads, writes} {
				res, err := client.Post("http://"+l.Addr().String(), "text/xml", strings.NewReader("<a/>"))
				if err == nil {
					_, err = io.ReadAll(res.Body)
					_ = res.Body.Close()
				}
				if err == nil || strings.Contains(err.Error(), number) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
