package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/run"
	"contactsync/cmd/internal/worker"
	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

func workerCommand() *cobra.Command {
	var slow slowRegister
	flags := slow.workerFlags()
	c := serviceCommand("worker", "Run a sync worker: Kafka in, register out",
		"Reads decisions from Kafka, brings the register in line with them, and publishes how each one ended. Any number of\n"+
			"workers may run side by side, and may be added or killed at any time.",
		func(r *config.Reader) config.Worker { return slow.readWorker(r, flags) },
		func(ctx context.Context, c config.Worker, logTo io.Writer) error {
			return runWorker(ctx, c, slow.latency, logTo)
		})
	c.Flags().AddFlagSet(flags)
	return c
}

func (s *slowRegister) workerFlags() *pflag.FlagSet {
	f := pflag.NewFlagSet("worker", pflag.ContinueOnError)
	f.DurationVar(&s.latency, "register-latency", 0, "how long each call to the register is held up, to try out a slow one; up to 3s")
	f.IntVar(&s.limit, "register-limit", 0,
		fmt.Sprintf("calls a second, up to %d, instead of CONTACTSYNC_REGISTER_CALLS_PER_SECOND; 0: no limit", config.MostCallsPerSecond))
	return f
}

// readWorker reads the variables, and takes the limit of the flag instead where that is given, be it 0. The reader has the faults of both.
func (s slowRegister) readWorker(r *config.Reader, given *pflag.FlagSet) config.Worker {
	w := config.ReadWorker(r)
	r.Fault(s.validate())
	if given.Changed("register-limit") {
		w.CallsPerSecond = s.limit
	}
	return w
}

func runWorker(ctx context.Context, c config.Worker, latency time.Duration, logTo io.Writer) error {
	p, err := newProcess(ctx, "worker", c.Common, syncpg.Schema(), logTo)
	if err != nil {
		return err
	}
	defer p.close()
	w, err := worker.New(worker.Config{
		Kafka: c.Kafka, Pool: p.pool, Pepper: c.Pepper, AuditKey: c.AuditKey, Source: c.Source, Now: p.clock.Now, Lease: c.Lease, Session: c.Session, ShareAhead: c.ShareAhead,
		RegisterURL: c.Register.URL, RegisterPath: c.Register.Path, LogicalAddress: c.Register.LogicalAddress, TLS: c.Register.TLS, Codes: c.Register.Codes,
		CallsPerSecond: c.CallsPerSecond, Bulk: c.Bulk, RegisterLatency: latency,
		Log: p.log, Metrics: p.metrics,
		Push: push.Config{Concurrency: c.Concurrency, CallTimeout: c.CallTimeout, ReadLag: c.ReadLag,
			VersionSettle: c.VersionSettle, VersionZone: swedishTime()},
	})
	if err != nil {
		return err
	}
	p.serveOps(map[string]run.Check{"partitions": w.Check},
		map[string]run.Check{"kafka": p.topics(c.Kafka), "register": run.Reachable(c.Register.URL, c.Register.TLS)})
	return p.run(w.Run)
}

// swedishTime is the zone of the register's versions. The binary brings it along.
func swedishTime() *time.Location {
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		panic(err) // mockregister and portal embed the zones
	}
	return zone
}
