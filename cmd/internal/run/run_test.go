package run

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestServeFinishesRequestsUnderWay(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	address, ended := serve(t, ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-ctx.Done()
		_, _ = io.WriteString(w, "finished")
	}))
	answer := make(chan string)
	go func() { answer <- get(t, address) }()
	<-arrived
	stop()
	if got := <-answer; got != "finished" {
		t.Errorf("a request under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("to be told to end is no failure, but got %v", err)
	}
}

func TestServeCutsOffRequestsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	arrived, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	address, ended := serve(t, ctx, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	go func() { _, _ = http.Get(address) }()
	<-arrived
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeTellsWhenItCannot(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), Server{Listener: l, Handler: http.NotFoundHandler(), Log: silent()}); err == nil {
		t.Error("serving on a closed listener is no failure")
	}
}

func TestReadinessAsksAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	now, asked, fault := time.Unix(0, 0), 0, error(nil)
	handler := NewOps(OpsConfig{
		Metrics: prometheus.NewRegistry(), Log: silent(), Now: func() time.Time { return now },
		Checks: map[string]Check{"postgres": func(context.Context) error { asked++; return fault }},
	}).Handler()
	for _, step := range []struct {
		after    time.Duration
		fault    error
		want     int
		askedNow int
	}{
		{0, nil, http.StatusOK, 1},
		{999 * time.Millisecond, errors.New("connection refused"), http.StatusOK, 1},
		{time.Millisecond, errors.New("connection refused"), http.StatusServiceUnavailable, 2},
		{time.Second, nil, http.StatusOK, 3},
	} {
		now, fault = now.Add(step.after), step.fault
		answer := ask(handler, "/readyz")
		if answer.Code != step.want || asked != step.askedNow {
			t.Errorf("at %v: %d after %d checks, want %d after %d", now, answer.Code, asked, step.want, step.askedNow)
		}
		if strings.Contains(answer.Body.String(), "refused") {
			t.Error("why a part is not there leaves the process")
		}
	}
}

func TestPartBesideIsToldAndTakesNothingOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fault, said := errors.New("connection refused"), &strings.Builder{}
		handler := NewOps(OpsConfig{
			Metrics: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(said, nil)), Now: time.Now,
			Checks: map[string]Check{"postgres": func(context.Context) error { return nil }},
			Beside: map[string]Check{"kafka": func(context.Context) error { return fault }},
		}).Handler()
		for range 100 {
			if answer := ask(handler, "/readyz"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "without [kafka]") {
				t.Fatalf("%d %s", answer.Code, answer.Body)
			}
			<-time.After(time.Second)
		}
		if told := strings.Count(said.String(), "connection refused"); told != 2 {
			t.Errorf("the same trouble is told %d times in 100 s, want 2", told)
		}
		fault = nil
		if answer := ask(handler, "/readyz"); strings.TrimSpace(answer.Body.String()) != "ok" || !strings.Contains(said.String(), "ready again") {
			t.Errorf("%s; log: %s", answer.Body, said)
		}
	})
}

func TestAwaitTellsWhyAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		said, asked := &strings.Builder{}, 0
		err := Await(t.Context(), slog.New(slog.NewTextHandler(said, nil)), "postgres", func(context.Context) error {
			if asked++; asked < 200 {
				return errors.New("password refused")
			}
			return nil
		})
		if told := strings.Count(said.String(), "password refused"); err != nil || told != 2 {
			t.Errorf("%v, told %d times in 100 s, want 2", err, told)
		}
	})
}

func TestLivenessDependsOnNothing(t *testing.T) {
	t.Parallel()
	handler := NewOps(OpsConfig{
		Metrics: prometheus.NewRegistry(), Log: silent(), Now: time.Now,
		Checks: map[string]Check{"postgres": func(context.Context) error { return errors.New("gone") }},
	}).Handler()
	if got := ask(handler, "/livez").Code; got != http.StatusOK {
		t.Errorf("/livez answers %d", got)
	}
}

func TestProgramOfAProcess(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got := program(os.Getpid()); got != filepath.Base(self) {
		t.Errorf("this process runs %q, want %q", got, filepath.Base(self))
	}
}

func serve(t *testing.T, ctx context.Context, handler http.Handler) (address string, ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, Server{Name: "test", Listener: l, Handler: handler, Log: silent()}) }()
	return "http://" + l.Addr().String(), done
}

func get(t *testing.T, address string) string {
	response, err := http.Get(address)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

func ask(handler http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
