package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"contactsync/consent/pgcluster"
)

// asBroker makes the test binary the broker process that bench starts.
const asBroker = "serve-broker"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == asBroker {
		if err := ServeBroker(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func small(t *testing.T, scenarios ...string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Scenarios: scenarios, Decisions: 200, Persons: []int{20}, Runs: 1, Rate: 200,
		PostgresBinaries: os.Getenv(pgcluster.BinariesEnv), BrokerCommand: []string{self, asBroker},
		Progress: func(line string) { t.Log(line) }, Log: slog.New(slog.DiscardHandler),
	}
}

// ran is the JSON of each report, by scenario.
func ran(t *testing.T, c Config) map[string]map[string]any {
	t.Helper()
	told := map[string]map[string]any{}
	err := Run(t.Context(), c, func(r Report) error {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		var object map[string]any
		if err := json.Unmarshal(text, &object); err != nil {
			return err
		}
		told[r.Scenario] = object
		var table bytes.Buffer
		if err := r.WriteTable(&table); err != nil {
			return err
		}
		t.Log(table.String())
		return nil
	})
	if errors.Is(err, pgcluster.ErrNoBinaries) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func hasAll(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	for _, n := range append(names, "scenario", "rate_per_s", "pushes_per_s", "calls_per_person", "max_calls_in_one_second",
		"out_of_order", "duplicates", "rss_mb", "runs", "on") {
		if _, ok := object[n]; !ok {
			t.Errorf("%s lacks %s", object["scenario"], n)
		}
	}
}

// wants holds figures that are the same on every machine.
func wants(t *testing.T, object map[string]any, want map[string]float64) {
	t.Helper()
	for n, v := range want {
		if object[n] != v {
			t.Errorf("%s: %s is %v, want %v", object["scenario"], n, object[n], v)
		}
	}
}

func positive(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	for _, n := range names {
		if v, _ := object[n].(float64); v <= 0 {
			t.Errorf("%s: %s is %v", object["scenario"], n, object[n])
		}
	}
}

func TestThroughputIsSane(t *testing.T) {
	t.Parallel()
	told := ran(t, small(t, "throughput"))
	one, several := told["throughput"], told["throughput-collapsing"]
	for _, object := range []map[string]any{one, several} {
		hasAll(t, object, "baseline_per_s")
		positive(t, object, "rate_per_s", "baseline_per_s", "pushes_per_s", "max_calls_in_one_second")
		wants(t, object, map[string]float64{"decisions": 200, "baseline_decisions": 50, "out_of_order": 0, "duplicates": 0, "refused_calls": 0, "runs": 1})
	}
	wants(t, one, map[string]float64{"persons": 200})
	if calls := one["calls_per_person"].(float64); calls < 1 || calls > 1.5 {
		t.Errorf("%v calls a person: one writes, and records are read together", calls)
	}
	wants(t, several, map[string]float64{"persons": 20})
	if one["rate_per_s"] != one["pushes_per_s"] {
		t.Errorf("something collapses: %v decisions/s, %v pushes/s", one["rate_per_s"], one["pushes_per_s"])
	}
	if several["rate_per_s"].(float64) <= several["pushes_per_s"].(float64) {
		t.Errorf("nothing collapses: %v decisions/s, %v pushes/s", several["rate_per_s"], several["pushes_per_s"])
	}
}

func TestLatencyIsSane(t *testing.T) {
	t.Parallel()
	c := small(t, "latency")
	c.RegisterLatency = 2 * time.Millisecond
	object := ran(t, c)["latency"]
	hasAll(t, object, "baseline_per_s", "p50_ms", "p99_ms", "baseline_p50_ms", "baseline_p99_ms")
	wants(t, object, map[string]float64{"decisions": 200, "persons": 20, "baseline_decisions": 200, "out_of_order": 0, "duplicates": 0})
	for _, prefix := range []string{"", "baseline_"} {
		least := 2 * float64(c.RegisterLatency.Milliseconds()) // one read and one write
		half, most := object[prefix+"p50_ms"].(float64), object[prefix+"p99_ms"].(float64)
		if half < least || most < half {
			t.Errorf("%sp50 is %v ms, p99 %v ms; the register alone takes %v ms", prefix, half, most, least)
		}
	}
}

func TestOrderedIsSane(t *testing.T) {
	t.Parallel()
	object := ran(t, small(t, "ordered"))["ordered"]
	hasAll(t, object, "baseline_per_s")
	positive(t, object, "rate_per_s", "baseline_per_s")
	wants(t, object, map[string]float64{"decisions": 200, "persons": 200, "baseline_decisions": 200, "out_of_order": 0, "duplicates": 0})
	if object["baseline_per_s"].(float64) > 12*100 {
		t.Errorf("%v decisions/s by 12 loops, of which each waits 10 ms for each: the register does not take its time", object["baseline_per_s"])
	}
}

func TestFloodIsSane(t *testing.T) {
	t.Parallel()
	c := small(t, "flood")
	c.Decisions, c.RegisterLimit, c.Rate = 3000, 150, 20
	object := ran(t, c)["flood"]
	hasAll(t, object, "p50_ms", "p99_ms", "baseline_p50_ms", "baseline_p99_ms")
	wants(t, object, map[string]float64{"decisions": 3000, "persons": 3241, "baseline_decisions": 241, "out_of_order": 0, "duplicates": 0, "refused_calls": 0})
	if half, most := object["p50_ms"].(float64), object["p99_ms"].(float64); half <= 0 || most < half || most > 10_000 {
		t.Errorf("p50 is %v ms, p99 %v ms: the others have waited for the flood, which takes 20 s", half, most)
	}
}

func TestLatencyFromTheProducer(t *testing.T) {
	t.Parallel()
	c := small(t, "latency")
	c.FromKafka, c.Decisions = true, 50
	object := ran(t, c)["latency"]
	positive(t, object, "p50_ms", "p99_ms", "baseline_p50_ms")
}

func TestWithdrawalsBehindABacklog(t *testing.T) {
	t.Parallel()
	c := small(t, "withdraw-behind-backlog")
	c.Decisions, c.RegisterLimit, c.Rate = 2000, 100, 15
	object := ran(t, c)["withdraw-behind-backlog"]
	hasAll(t, object, "p50_ms", "p99_ms", "limit_used", "baseline_per_s", "baseline_wait_s")
	wants(t, object, map[string]float64{"withdrawals": 60, "decisions": 2000, "out_of_order": 0, "duplicates": 0, "refused_calls": 0})
	positive(t, object, "p50_ms", "rate_per_s", "limit_used")
	if used := object["limit_used"].(float64); used > 1 || object["max_calls_in_one_second"].(float64) > 100 {
		t.Errorf("%v of the limit used, %v calls in one second", used, object["max_calls_in_one_second"])
	}
	if calls := object["calls_per_person"].(float64); calls < 1 || calls > 1.5 {
		t.Errorf("%v calls a person: one writes, and records are read together", calls)
	}
}

func TestOutageIsSurvived(t *testing.T) {
	t.Parallel()
	c := small(t, "outage")
	c.Decisions, c.RegisterLimit, c.Outage = 3000, 150, time.Second
	object := ran(t, c)["outage"]
	for _, n := range []string{"resume_s", "baseline_resume_s", "duplicates", "baseline_duplicates"} {
		if _, ok := object[n]; !ok {
			t.Errorf("lacks %s", n)
		}
	}
	wants(t, object, map[string]float64{"out_of_order": 0, "outage_s": 1, "refused_calls": 0})
	positive(t, object, "rate_per_s", "baseline_per_s", "rate_after_per_s", "baseline_after_per_s")
	if resumed := object["resume_s"].(float64); resumed > 10 {
		t.Errorf("the full rate is there %v s after the return", resumed)
	}
}

func TestBulkIsSane(t *testing.T) {
	t.Parallel()
	object := ran(t, small(t, "bulk"))["bulk"]
	wants(t, object, map[string]float64{"decisions": 200, "persons": 200, "baseline_decisions": 200})
	positive(t, object, "rate_per_s", "baseline_per_s")
}

func TestGrowthIsSane(t *testing.T) {
	t.Parallel()
	c := small(t, "growth")
	c.Stored = 40_000
	object := ran(t, c)["growth"]
	hasAll(t, object, "ratio", "baseline_per_s", "baseline_rss_mb")
	wants(t, object, map[string]float64{"stored": 40_000, "baseline_stored": 20_000, "decisions": 200, "persons": 200, "out_of_order": 0, "duplicates": 0})
	positive(t, object, "ratio", "rss_mb")
}

func TestMemoryIsSane(t *testing.T) {
	t.Parallel()
	c := small(t, "memory")
	c.Runs = 3 // once says all
	object := ran(t, c)["memory"]
	hasAll(t, object, "flat", "rss_mb_10", "rss_mb_50", "rss_mb_100", "heap_mb_10", "heap_mb_50", "heap_mb_100")
	wants(t, object, map[string]float64{"decisions": 200, "persons": 20, "out_of_order": 0, "runs": 1})
	positive(t, object, "rss_mb_10", "rss_mb_50", "rss_mb_100", "heap_mb_100")
}

func TestRegisterLimit(t *testing.T) {
	t.Parallel()
	c := small(t, "throughput")
	c.Decisions, c.RegisterLimit = 20, 30
	for name, object := range ran(t, c) {
		if v, ok := object["refused_calls"]; !ok || v.(float64) < 0 {
			t.Errorf("%s does not tell of refused calls", name)
		}
	}
}

// The way to a given Kafka is the same: here it is a broker of our own, which shows what is left there.
func TestGivenKafkaIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	broker, brokers, err := startBroker(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	before := namesAt(t, brokers)
	c := small(t, "throughput", "latency")
	c.Kafka, c.Decisions = brokers, 40
	object := ran(t, c)["throughput"]
	if on := object["on"].(map[string]any)["kafka"].(string); !strings.HasPrefix(on, "given, ") {
		t.Errorf("measured on %q, want the given Kafka", on)
	}
	if after := namesAt(t, brokers); after != before {
		t.Errorf("topics and groups before: %s; after: %s", before, after)
	}
}

func TestKafkaThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := small(t)
	c.Kafka = []string{l.Addr().String()}
	if err := Run(t.Context(), c, nil); !errors.Is(err, ErrKafka) {
		t.Errorf("got %v", err)
	}
}

// Ctrl-C in the middle of everything.
func TestNothingIsLeftBehind(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	for _, at := range []string{"starting PostgreSQL", "throughput, run 1", "producing"} {
		ctx, interrupt := context.WithCancel(t.Context())
		c := small(t, "throughput", "memory")
		reached := false
		c.Progress = func(line string) {
			if strings.HasPrefix(line, at) {
				reached = true
				interrupt()
			}
		}
		err := Run(ctx, c, func(Report) error { return nil })
		interrupt()
		if errors.Is(err, pgcluster.ErrNoBinaries) && os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		if !reached || !errors.Is(err, context.Canceled) {
			t.Errorf("at %q: reached %v, error %v", at, reached, err)
		}
		if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) > 0 {
			t.Errorf("at %q: left behind: %v", at, left)
		}
	}
}

func TestConfigIsJudged(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		"":                                      {Scenarios: Names()},
		"no scenario \"fast\"":                  {Scenarios: []string{"fast"}},
		"--decisions must be":                   {Decisions: 1},
		"--runs must not":                       {Runs: -1},
		"--stored must not":                     {Stored: -1},
		"--outage must not":                     {Outage: -1},
		"--rate must not":                       {Rate: -1},
		"--register-limit must not":             {RegisterLimit: -1},
		"--register-latency must be at most 3s": {RegisterLatency: time.Minute},
		"--persons must be at least 6 for 1000": {Scenarios: []string{"latency"}, Persons: []int{5}, Decisions: 1000},
	} {
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
