package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/devstack"
	"contactsync/cmd/internal/run"
	"contactsync/consent/pgcluster"
	"contactsync/contracts/mockregister"
)

// devOptions are the flags of dev.
type devOptions struct {
	data     string
	portBase int
	persons  int
	slow     slowRegister
}

// slowRegister is a register like the national one: it takes its time, and only so many calls a second.
type slowRegister struct {
	latency time.Duration // before each answer
	limit   int           // calls a second by one system; 0: none
}

func (s *slowRegister) addFlags(f *pflag.FlagSet) {
	f.DurationVar(&s.latency, "register-latency", 0, "how long the register thinks before each answer, up to 3s")
	f.IntVar(&s.limit, "register-limit", 0, fmt.Sprintf("calls a second that the register allows a system, which the worker keeps to; up to %d, 0: no limit", config.MostCallsPerSecond))
}

func (s *slowRegister) validate() error {
	var latencyFault, limitFault error
	if s.latency < 0 || s.latency > 3*time.Second {
		latencyFault = errors.New("--register-latency must be from 0s to 3s: the worker gives a call up soon after")
	}
	if s.limit < 0 || s.limit > config.MostCallsPerSecond {
		limitFault = fmt.Errorf("--register-limit must be from 0 to %d", config.MostCallsPerSecond)
	}
	return errors.Join(latencyFault, limitFault)
}

func devCommand() *cobra.Command {
	var o devOptions
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: Kafka, PostgreSQL, worker and mock register",
		Long: `Run everything on this machine, in one process: a Kafka broker, a private PostgreSQL, the worker and a mock register
with invented test persons. A line that begins with "ready" tells that all is up. Ctrl-C ends it.

PostgreSQL is looked for on this machine and else fetched; ` + pgcluster.BinariesEnv + ` names the folder of its
programs, or says "fetch".`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return usageError{err}
			}
			return o.run(c.Context(), c.OutOrStdout(), slog.New(slog.NewJSONHandler(c.ErrOrStderr(), nil)))
		},
	}
	c.Flags().StringVar(&o.data, "data", "", "folder that keeps everything over restarts (default: a temporary one, removed at the end)")
	c.Flags().IntVar(&o.portBase, "port-base", 0, "first of 30 ports to use; 0 takes those of the last run on the folder, or free ones")
	c.Flags().IntVar(&o.persons, "persons", 0, "generated test persons to add on the first run on the folder")
	o.slow.addFlags(c.Flags())
	return c
}

func (o devOptions) validate() error {
	const last = 65535
	var portFault, personsFault error
	if o.portBase < 0 || o.portBase > last-devstack.PortRange+1 {
		portFault = fmt.Errorf("--port-base must be 0, or from 1 to %d", last-devstack.PortRange+1)
	}
	if o.persons < 0 {
		personsFault = errors.New("--persons must not be negative")
	}
	return errors.Join(portFault, personsFault, o.slow.validate())
}

// run starts everything and waits for the end. To be told to end is no failure.
func (o devOptions) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	started := time.Now()
	ctx, cancel := run.UntilParentDies(ctx)
	defer cancel()
	stack, err := devstack.Start(ctx, devstack.Config{
		Data: o.data, PortBase: o.portBase, PostgresBinaries: os.Getenv(pgcluster.BinariesEnv), Now: time.Now, Log: log,
	})
	if err == nil {
		err = o.serve(ctx, stack, log, func(persons []mockregister.TestPerson) error {
			return announce(out, stack, persons, time.Since(started))
		})
		err = errors.Join(err, stack.Stop())
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve runs the services until one fails or ctx ends; ready is called when all listen.
func (o devOptions) serve(
	ctx context.Context, stack *devstack.Stack, log *slog.Logger, ready func([]mockregister.TestPerson) error,
) (err error) {
	services, err := newDevServices(ctx, stack, log, o.slow)
	if err != nil {
		return err
	}
	defer services.close()
	persons, err := database.Seed(ctx, services.owner, o.persons)
	if err != nil {
		return err
	}
	if err := services.newPortal(ctx, persons); err != nil {
		return err
	}
	at := stack.Endpoints()
	at.RegisterLimit = o.slow.limit
	return services.runAll(ctx, func() error {
		if err := errors.Join(
			stack.Folder.WriteJSON(devstack.PersonsFile, persons),
			stack.Folder.WriteJSON(devstack.EndpointsFile, at),
		); err != nil {
			return err
		}
		return ready(persons)
	})
}
