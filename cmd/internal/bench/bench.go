// Package bench measures the whole way of a decision, from Kafka into the register, and beside it the plain loop that people
// write instead: one event at a time, read, write, commit.
//
// Everything is started here: PostgreSQL that syncs to disk, a Kafka broker (or a given Kafka is used), the mock register
// over mutual TLS, and the worker as it runs anywhere. Each measurement has topics and a database of its own, gone
// afterwards, and counts only if the register ends with the right value for every person and channel; else it fails.
//
// Start with Run. A scenario is a row in scenarios: what it is called, what it is about, and how one run of it goes.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"
)

// Config says what to measure. Zero numbers take the scenario's own.
type Config struct {
	Scenarios []string // by name; none: all but those that must be asked for
	Kafka     []string // host:port; none: a broker in this process
	Decisions int      // how many
	Persons   []int    // whose decisions, where several of a person are the point; register is measured once for each
	Runs      int      // of each scenario (5)
	Rate      int      // decisions/s where they come at a steady rate, withdrawals/s behind a backlog
	Stored    int      // rows in growth
	Outage    time.Duration
	FromKafka bool // latency runs from the producer, not from the decision in the portal's database

	RegisterLatency time.Duration // how long the register thinks before each answer
	RegisterLimit   int           // calls/s that the register takes; more are answered with 429

	PostgresBinaries string // value of pgcluster.BinariesEnv
	// BrokerCommand starts a process that calls ServeBroker.
	BrokerCommand []string
	WorkerMemory  int64             // bytes that a worker is bounded by; 0: by nothing
	Progress      func(line string) // told of each step
	Log           *slog.Logger      // of the worker and of PostgreSQL
}

// ErrKafka tells that the given Kafka does not answer. It may later.
var ErrKafka = errors.New("no answer from Kafka")

// scenario is one thing to measure.
type scenario struct {
	name     string
	family   string // other name, under which several are asked for
	baseline string // what stands beside, if not the plain loop
	title    string // one line for people, with %d for the number of decisions
	asked    bool   // must be asked for: it takes minutes
	once     bool   // one run says all
	apart    bool   // a broker of ours is another process

	decisions int  // unless told otherwise
	persons   int  // 0: as many as decisions
	stored    bool // decisions is how many persons are stored: nobody decides
	leaving   int  // persons beside, who have a detail in the register and withdraw it
	backlog   bool // measured while decisions wait: not all of them need be carried out

	partitions int           // of each topic; 0: 6
	latency    time.Duration // of the register, unless told otherwise; 0: none
	limit      int           // calls/s of the register, unless told otherwise; 0: none
	rate       int           // decisions/s, unless told otherwise
	measure    func(context.Context, *rig, scenario) (figures, error)
}

func scenarios() []scenario {
	return []scenario{
		{name: "throughput", title: "%d decisions in Kafka, each of another person, so that nothing collapses: the figure to quote",
			decisions: 5000, measure: throughput},
		{name: "throughput-collapsing", family: "throughput", title: "%d decisions in Kafka, several of each person and channel: one push carries the newest",
			decisions: 20000, persons: 1000, measure: throughput},
		{name: "ordered", title: "%d decisions in Kafka, each of another person, pushed one person at a time to a register that takes its time; beside it a loop for each partition",
			baseline: "12 plain loops", decisions: 5000, partitions: 12, latency: 5 * time.Millisecond, measure: ordered},
		{name: "latency", title: "%d decisions at a steady rate, from the portal's database until the register shows them",
			baseline: "6 plain loops", decisions: 5000, persons: 1000, rate: 500, measure: latency},
		{name: "bulk", title: "%d decisions in Kafka, each of another person and channel, pushed by contactsv1; beside it the bare guarded upsert of the same rows",
			baseline: "bare upsert", decisions: 100_000, measure: bulk},
		{name: "withdraw-behind-backlog", title: "withdrawals while %d shares wait for a register that takes few calls",
			asked: true, backlog: true, decisions: 20_000, leaving: 60, limit: 10, rate: 1, measure: withdrawBehindBacklog},
		{name: "flood", title: "one e-service sends %d shares at once, while others decide at a steady rate: how long these take",
			baseline: "without the flood", asked: true, backlog: true, decisions: 50_000, rate: 50, measure: flood},
		{name: "outage", title: "the register goes away and comes back while %d shares wait",
			asked: true, backlog: true, decisions: 60_000, measure: outage},
		{name: "growth", title: "%d decisions in Kafka, each of another person, beside few stored rows and beside many",
			asked: true, apart: true, baseline: "20 000 rows", decisions: 5000, measure: growth},
		{name: "memory", title: "%d decisions in Kafka of few persons: does memory grow?",
			asked: true, once: true, apart: true, decisions: 1_000_000, persons: 10_000, measure: memory},
		{name: "register", title: "bulk lookups and single reads from a register of %d persons, all in the access log",
			asked: true, stored: true, decisions: 1_000_000, measure: registerLoad},
	}
}

// Names are the names that Config.Scenarios may hold.
func Names() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

// Asked are the names of those that run only when they are asked for.
func Asked() []string {
	var names []string
	for _, s := range scenarios() {
		if s.asked {
			names = append(names, s.name)
		}
	}
	return names
}

// Validate reports all faults at once.
func (c Config) Validate() error {
	var faults []error
	for flag, negative := range map[string]bool{
		"--runs": c.Runs < 0, "--rate": c.Rate < 0, "--persons": slices.ContainsFunc(c.Persons, func(n int) bool { return n < 0 }),
		"--stored": c.Stored < 0, "--outage": c.Outage < 0,
		"--register-latency": c.RegisterLatency < 0, "--register-limit": c.RegisterLimit < 0,
	} {
		if negative {
			faults = append(faults, errors.New(flag+" must not be negative"))
		}
	}
	if c.Decisions != 0 && c.Decisions < 2 {
		faults = append(faults, errors.New("--decisions must be at least 2"))
	}
	if c.RegisterLatency > maxRegisterLatency {
		faults = append(faults, fmt.Errorf("--register-latency must be at most %v: the worker gives a call up soon after", maxRegisterLatency))
	}
	for _, name := range c.Scenarios {
		if !slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.is(name) }) {
			faults = append(faults, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(Names(), ", ")))
		}
	}
	for _, s := range c.chosen() {
		faults = append(faults, s.enoughValues())
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return errors.Join(faults...)
}

// maxRegisterLatency lies inside the 4 s that the worker waits for one answer.
const maxRegisterLatency = 3 * time.Second

func (s scenario) topicPartitions() int { return cmp.Or(s.partitions, 6) }

func (s scenario) is(name string) bool { return name == s.name || name == s.family }

// enoughValues: the order of two writes is told by their values.
func (s scenario) enoughValues() error {
	if s.persons > 0 && s.decisions > s.persons*channelsEach*valuesEach {
		return fmt.Errorf("%s: --persons must be at least %d for %d decisions, since each decision of a person has a value of its own, "+
			"and Sweden keeps only %d mobile numbers for such use", s.name, 1+(s.decisions-1)/(channelsEach*valuesEach), s.decisions, valuesEach)
	}
	return nil
}

// chosen are the scenarios that were asked for, as they were asked for.
func (c Config) chosen() []scenario {
	var chosen []scenario
	for _, s := range scenarios() {
		if len(c.Scenarios) == 0 && s.asked || len(c.Scenarios) > 0 && !slices.ContainsFunc(c.Scenarios, s.is) {
			continue
		}
		chosen = append(chosen, s.sized(c)...)
	}
	return chosen
}

// sized is the scenario as it was asked for, once for each number of stored persons.
func (s scenario) sized(c Config) (sized []scenario) {
	s.latency, s.limit, s.rate = cmp.Or(c.RegisterLatency, s.latency), cmp.Or(c.RegisterLimit, s.limit), cmp.Or(c.Rate, s.rate)
	if s.stored {
		for _, stored := range c.Persons {
			s.decisions = cmp.Or(stored, s.decisions)
			sized = append(sized, s.titled())
		}
	}
	if len(sized) > 0 {
		return sized
	}
	if !s.stored {
		s.decisions = cmp.Or(c.Decisions, s.decisions)
	}
	if s.persons > 0 {
		if len(c.Persons) > 0 {
			s.persons = cmp.Or(c.Persons[0], s.persons)
		}
		s.persons = min(s.persons, s.decisions/channelsEach) // each has something to decide
	}
	return []scenario{s.titled()}
}

func (s scenario) titled() scenario {
	s.title = fmt.Sprintf(s.title, s.decisions)
	return s
}

func (c Config) withDefaults() Config {
	if c.Runs == 0 {
		c.Runs = 5
	}
	c.Stored = cmp.Or(c.Stored, 20_000_000)
	c.Outage = cmp.Or(c.Outage, 10*time.Second)
	c.WorkerMemory = cmp.Or(c.WorkerMemory, math.MaxInt64)
	return c
}

// Run measures one scenario after the other, and hands on the report of each as soon as it is there. It returns when
// everything that it started is gone.
func Run(ctx context.Context, c Config, report func(Report) error) (err error) {
	if err := c.Validate(); err != nil {
		return err
	}
	r, err := newRig(ctx, c.withDefaults())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, s := range c.chosen() {
		measured, err := r.repeat(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		on := r.on
		if s.apart && len(c.Kafka) == 0 {
			on.Kafka = "kfake, in a process of its own"
		}
		if err := report(summarize(s, measured, on)); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) repeat(ctx context.Context, s scenario) ([]figures, error) {
	var measured []figures
	runs := r.cfg.Runs
	if s.once {
		runs = 1
	}
	for n := range runs {
		f, err := s.measure(ctx, r, s)
		if err != nil {
			return nil, err
		}
		measured = append(measured, f)
		r.cfg.Progress(fmt.Sprintf("%s, run %d of %d: %s", s.name, n+1, runs, f))
	}
	return measured, nil
}
