package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/bench"
	"contactsync/cmd/internal/run"
	"contactsync/consent/pgcluster"
)

// brokerCommand is the hidden command by which bench runs a broker in another process.
const brokerCommand = "bench-broker"

type benchFlags struct {
	bench.Config
	kafka string
	json  bool
	plot  string
}

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench [SCENARIO...]",
		Short: "Measure how fast decisions get from Kafka into the register",
		Long: `Measures the whole way from Kafka into the register, on parts of its own: PostgreSQL that syncs to disk, a Kafka broker
(or a given Kafka), the mock register over mutual TLS. Beside each figure stands that of a baseline, mostly the plain loop: one
event at a time, one read, one write, one commit. A measurement counts only if the register ends with the right values; else
exit code 1.

Scenarios: ` + strings.Join(bench.Names(), ", ") + `. Without names: all but ` + strings.Join(bench.Asked(), ", ") + `,
which take minutes. "throughput" asks for both of that name.`,
		Example: "  contactsync bench\n  contactsync bench --json --runs 3 latency\n  contactsync bench --kafka localhost:9092 throughput\n" +
			"  contactsync bench --plot register.svg --persons 10000,100000,1000000 register",
	}
	var flags benchFlags
	c.Flags().BoolVar(&flags.json, "json", false, "print a JSON object a line instead of tables")
	c.Flags().StringVar(&flags.kafka, "kafka", "", "`HOST:PORT` of a Kafka to use, several with commas between; topics of its own are made and deleted")
	c.Flags().IntVar(&flags.Decisions, "decisions", 0, "how many; 0 is what suits the scenario")
	c.Flags().IntSliceVar(&flags.Persons, "persons", nil,
		"`NUMBER` of those who decide, where several decisions of a person are the point; register is measured with each of several numbers")
	c.Flags().IntVar(&flags.Runs, "runs", 5, "how often; medians are told. memory runs once")
	c.Flags().IntVar(&flags.Rate, "rate", 0, "decisions a second in latency (500), withdrawals a second behind a backlog (1), the others' decisions beside a flood (50)")
	c.Flags().BoolVar(&flags.FromKafka, "from-kafka", false, "latency begins with the producer, not in the portal's database")
	c.Flags().IntVar(&flags.Stored, "stored", 20_000_000, "rows in growth")
	c.Flags().DurationVar(&flags.Outage, "outage", 10*time.Second, "how long the register is away in outage")
	c.Flags().StringVar(&flags.plot, "plot", "", "`FILE` that becomes a picture (SVG) of all that was measured")
	c.Flags().DurationVar(&flags.RegisterLatency, "register-latency", 0, "how long the register thinks before each answer (ordered: 5ms)")
	c.Flags().IntVar(&flags.RegisterLimit, "register-limit", 0, "calls a second that the register takes; 0: no limit (withdraw-behind-backlog: 10)")
	c.RunE = func(c *cobra.Command, args []string) error {
		flags.Scenarios = args
		return runBench(c, flags)
	}
	return c
}

// benchMemory is for a worker, a register, a broker with all decisions, and what measures them, in one process: a million decisions take 750 MB,
// and near the limit it is the collector that is measured.
const benchMemory = 2 << 30

func runBench(c *cobra.Command, flags benchFlags) error {
	config, err := flags.config(c)
	if err != nil {
		return err
	}
	draw, err := flags.picture()
	if err != nil {
		return err
	}
	run.BoundMemory(benchMemory)
	ctx, cancel := run.UntilParentDies(c.Context())
	defer cancel()
	var reports []bench.Report
	err = bench.Run(ctx, config, func(r bench.Report) error {
		reports = append(reports, r)
		return flags.show(c, r)
	})
	err = errors.Join(err, draw(reports))
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing is left behind")
	case errors.Is(err, bench.ErrKafka):
		return tryAgainError{err}
	}
	return err
}

// picture finds out before anything is measured whether the picture can be written. A file that is there stays as it is until it is drawn,
// and none is left behind where there is nothing to draw.
func (f benchFlags) picture() (draw func([]bench.Report) error, err error) {
	if f.plot == "" {
		return func([]bench.Report) error { return nil }, nil
	}
	_, err = os.Lstat(f.plot)
	isNew := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(f.plot, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, usageError{fmt.Errorf("--plot: %w", err)}
	}
	return func(reports []bench.Report) error {
		switch {
		case len(reports) > 0: // what was measured before something failed is worth seeing, too
			return os.WriteFile(f.plot, bench.Plot(reports), 0o644)
		case isNew:
			return os.Remove(f.plot)
		}
		return nil
	}, file.Close()
}

func (f benchFlags) config(c *cobra.Command) (bench.Config, error) {
	config := f.Config
	if f.kafka != "" {
		config.Kafka = strings.Split(f.kafka, ",")
	}
	if err := config.Validate(); err != nil {
		return config, usageError{err}
	}
	self, err := os.Executable()
	if err != nil {
		return config, fmt.Errorf("find this program: %w", err)
	}
	config.BrokerCommand, config.WorkerMemory = []string{self, brokerCommand}, softMemory
	config.PostgresBinaries = os.Getenv(pgcluster.BinariesEnv)
	config.Log = slog.New(slog.NewJSONHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	config.Progress = func(line string) { fmt.Fprintln(c.ErrOrStderr(), line) }
	return config, nil
}

func (f benchFlags) show(c *cobra.Command, r bench.Report) error {
	if f.json {
		return json.NewEncoder(c.OutOrStdout()).Encode(r)
	}
	return r.WriteTable(c.OutOrStdout())
}

// benchBrokerCommand is for bench itself.
func benchBrokerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    brokerCommand + " DIR",
		Short:  "Serve a Kafka broker until standard input ends",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return bench.ServeBroker(args[0], c.InOrStdin(), c.OutOrStdout())
		},
	}
}
