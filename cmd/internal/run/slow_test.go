package run

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that a test's clock is that of its deadlines too.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.made:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// dialled serves the handler, and returns a client's end of a connection.
func dialled(t *testing.T, handler http.HandlerFunc) net.Conn {
	t.Helper()
	p := pipes{make(chan net.Conn), make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, Server{Name: "test", Listener: p, Handler: handler, Log: silent()}) }()
	client, server := net.Pipe()
	p.made <- server
	t.Cleanup(func() {
		client.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return client
}

// trickle writes a byte a second until the other end has had enough, and returns how long that took.
func trickle(conn net.Conn) time.Duration {
	began := time.Now()
	for range time.Hour / time.Second {
		if _, err := io.WriteString(conn, "a"); err != nil {
			break
		}
		<-time.After(time.Second)
	}
	return time.Since(began)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	readAll := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	for name, row := range map[string]struct {
		handler http.HandlerFunc
		begins  string
		within  time.Duration
	}{
		"in the head of a request": {readAll, "POST / HTTP/1.1\r\nHost: x\r\nSlow: ", headerTimeout},
		"in its body":              {readAll, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", readTimeout},
		"in a body that the handler leaves alone": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", readTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := dialled(t, row.handler)
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				if _, err := io.WriteString(conn, row.begins); err != nil {
					t.Fatal(err)
				}
				if took := trickle(conn); took > row.within+time.Second {
					t.Errorf("cut off after %v, want %v", took, row.within)
				}
			})
		})
	}
}

func TestClientThatTakesNoAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wrote := make(chan error, 1)
		conn := dialled(t, func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.WriteString(w, strings.Repeat("a", 1<<20))
			wrote <- err
		})
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := <-wrote; err == nil || time.Since(began) != writeTimeout {
			t.Errorf("after %v: %v; want an error after %v", time.Since(began), err, writeTimeout)
		}
	})
}

// Who waits for an answer, or takes a long one steadily, is no slow client; nor is one that comes again after a while.
func TestPatientClientsAreServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := dialled(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			select {
			case <-r.Context().Done():
				t.Error("the handler's context has ended")
			case <-time.After(5 * time.Minute):
			}
			for range 60 {
				_, _ = w.Write(body)
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				<-time.After(10 * time.Second)
			}
		})
		answers := bufio.NewReader(conn)
		for range 2 {
			go func() {
				_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
				_, _ = io.WriteString(conn, "here")
			}()
			response, err := http.ReadResponse(answers, nil)
			for err == nil && response.StatusCode == http.StatusContinue {
				response, err = http.ReadResponse(answers, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(response.Body)
			if err != nil || string(text) != strings.Repeat("here", 60) {
				t.Errorf("%v: %d bytes", err, len(text))
			}
			<-time.After(time.Minute) // less than idleTimeout
		}
	})
}

func TestHeadThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, t.Context(), http.NotFoundHandler())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Large", strings.Repeat("a", 2*maxHeader))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return // cut off while it was sending
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered with %d", response.StatusCode)
	}
}
