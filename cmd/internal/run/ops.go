package run

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	checkTimeout = 2 * time.Second
	checkedFor   = time.Second // answers are cached so long: probes must not become load
)

// Check tells whether a part that the process cannot work without is there.
type Check func(context.Context) error

// Ops serves /livez (the process answers), /readyz (all checks hold) and /metrics.
type Ops struct {
	Checks  map[string]Check // by the part's name
	Metrics *prometheus.Registry
	Now     func() time.Time
	Log     *slog.Logger
}

// Handler returns what the ops listener serves.
func (o Ops) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", &readiness{ops: o})
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	return mux
}

// readiness runs the checks at most once a second, whoever asks how often.
type readiness struct {
	ops    Ops
	mu     sync.Mutex
	asked  time.Time
	faulty []string
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	faulty := r.answer(request.Context())
	if len(faulty) > 0 {
		http.Error(w, fmt.Sprintf("not ready: %v", faulty), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (r *readiness) answer(ctx context.Context) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.ops.Now(); r.asked.IsZero() || now.Sub(r.asked) >= checkedFor {
		// An answer is for the next caller too, so this one's going away does not spoil it.
		r.asked, r.faulty = now, r.check(context.WithoutCancel(ctx))
	}
	return r.faulty
}

// check returns the names of the parts that are not there. Why stands in the log, not in the answer.
func (r *readiness) check(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var faulty []string
	for _, name := range slices.Sorted(maps.Keys(r.ops.Checks)) {
		if err := r.ops.Checks[name](ctx); err != nil {
			r.ops.Log.Warn("not ready", "part", name, "error", err.Error())
			faulty = append(faulty, name)
		}
	}
	return faulty
}
