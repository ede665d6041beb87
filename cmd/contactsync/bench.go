package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

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
}

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench [SCENARIO...]",
		Short: "Measure how fast decisions get from Kafka into the register",
		Long: `Measures the whole way from Kafka into the register, on parts of its own: PostgreSQL that syncs to disk, a Kafka broker
(or a given Kafka), the mock register over mutual TLS. Beside each figure stands that of the plain loop: one event at a
time, one read, one write, one commit. A measurement counts only if the register ends with the right values; else exit code 1.

Scenarios: ` + strings.Join(bench.Names(), ", ") + `. Without names: all but memory, which takes minutes.
"throughput" asks for both of that name.`,
		Example: "  contactsync bench\n  contactsync bench --json --runs 3 latency\n  contactsync bench --kafka localhost:9092 throughput",
	}
	var flags benchFlags
	c.Flags().BoolVar(&flags.json, "json", false, "print a JSON object a line instead of tables")
	c.Flags().StringVar(&flags.kafka, "kafka", "", "`HOST:PORT` of a Kafka to use, several with commas between; topics of its own are made and deleted")
	c.Flags().IntVar(&flags.Decisions, "decisions", 0, "how many; 0 is what suits the scenario")
	c.Flags().IntVar(&flags.Persons, "persons", 0, "whose decisions, where several of a person are the point; 0 is what suits the scenario")
	c.Flags().IntVar(&flags.Runs, "runs", 5, "how often; medians are told. memory runs once")
	c.Flags().IntVar(&flags.Rate, "rate", 100, "decisions a second in latency")
	c.Flags().DurationVar(&flags.RegisterLatency, "register-latency", 0, "how long the register thinks before each answer")
	c.Flags().IntVar(&flags.RegisterLimit, "register-limit", 0, "calls a second that the register takes; 0: no limit")
	c.RunE = func(c *cobra.Command, args []string) error {
		flags.Scenarios = args
		return runBench(c, flags)
	}
	return c
}

func runBench(c *cobra.Command, flags benchFlags) error {
	config, err := flags.config(c)
	if err != nil {
		return err
	}
	ctx, cancel := run.UntilParentDies(c.Context())
	defer cancel()
	err = bench.Run(ctx, config, func(r bench.Report) error { return flags.show(c, r) })
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing is left behind")
	case errors.Is(err, bench.ErrKafka):
		return tryAgainError{err}
	}
	return err
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
	config.BrokerCommand = []string{self, brokerCommand}
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
