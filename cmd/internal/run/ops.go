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

	"contactsync/consent/trouble"
)

const (
	checkTimeout = 2 * time.Second
	watchEvery   = 10 * time.Second
	checkedFor   = time.Second // answers are cached so long: probes must not become load
)

// Check tells whether a part is there.
type Check func(context.Context) error

// OpsConfig says what an ops listener tells. All but Beside are required.
type OpsConfig struct {
	Checks map[string]Check // by the part's name
	// Beside are parts that the process can do without for a while. They are told of by /readyz, which answers 200 all the same:
	// else an outage of one part would take out others that keep their promises without it.
	Beside  map[string]Check
	Metrics *prometheus.Registry
	Now     func() time.Time
	Log     *slog.Logger
}

// Ops serves /livez (the process answers), /readyz (all checks hold) and /metrics.
type Ops struct {
	OpsConfig
	ready *readiness
}

// NewOps returns an ops listener; nothing has been checked yet.
func NewOps(c OpsConfig) *Ops {
	ready := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "contactsync_ready",
		Help: "1 while a part that the process works with is there, else 0."}, []string{"part"})
	c.Metrics.MustRegister(ready)
	return &Ops{c, &readiness{ops: c, trouble: map[string]*trouble.Log{}, gauge: ready}}
}

// Handler returns what the ops listener serves.
func (o *Ops) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", o.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	return mux
}

// Watch checks now and then until ctx ends, so that the log tells of trouble also where nobody asks /readyz.
func (o *Ops) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		o.ready.answer(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// readiness runs the checks at most once a second, whoever asks how often.
type readiness struct {
	ops            OpsConfig
	trouble        map[string]*trouble.Log // by the part's name
	gauge          *prometheus.GaugeVec
	mu             sync.Mutex
	asked          time.Time
	faulty, beside []string
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	faulty, beside := r.answer(request.Context())
	switch {
	case len(faulty) > 0 && len(beside) > 0:
		http.Error(w, fmt.Sprintf("not ready: %v; also without %v", faulty, beside), http.StatusServiceUnavailable)
	case len(faulty) > 0:
		http.Error(w, fmt.Sprintf("not ready: %v", faulty), http.StatusServiceUnavailable)
	case len(beside) > 0:
		fmt.Fprintf(w, "ok, without %v\n", beside)
	default:
		fmt.Fprintln(w, "ok")
	}
}

func (r *readiness) answer(ctx context.Context) (faulty, beside []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.ops.Now(); r.asked.IsZero() || now.Sub(r.asked) >= checkedFor {
		// An answer is for the next caller too, so this one's going away does not spoil it.
		r.check(context.WithoutCancel(ctx))
		r.asked = now
	}
	return r.faulty, r.beside
}

// check asks all parts side by side, so that one that is silent does not use up the time of another. Why a part is not there
// stands in the log, not in the answer.
func (r *readiness) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all := map[string]Check{}
	maps.Copy(all, r.ops.Checks)
	maps.Copy(all, r.ops.Beside)
	var mu sync.Mutex
	var asking sync.WaitGroup
	found := map[string]error{}
	for name, ask := range all {
		asking.Go(func() {
			err := ask(ctx)
			mu.Lock()
			defer mu.Unlock()
			found[name] = err
		})
	}
	asking.Wait()
	r.faulty, r.beside = nil, nil
	for _, name := range slices.Sorted(maps.Keys(found)) {
		r.tell(name, found[name])
		_, needed := r.ops.Checks[name]
		switch {
		case found[name] == nil:
		case needed:
			r.faulty = append(r.faulty, name)
		default:
			r.beside = append(r.beside, name)
		}
	}
}

func (r *readiness) tell(part string, err error) {
	if r.trouble[part] == nil {
		r.trouble[part] = trouble.New(r.ops.Log)
	}
	if err != nil {
		r.gauge.WithLabelValues(part).Set(0)
		r.trouble[part].Warn(part, "not ready", err, "part", part)
		return
	}
	r.gauge.WithLabelValues(part).Set(1)
	r.trouble[part].Over(part, "ready again", "part", part)
}
