package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/run"
	"contactsync/cmd/internal/worker"
	"contactsync/sync/push"
	"contactsync/sync/syncpg"
)

func workerCommand() *cobra.Command {
	var slow slowRegister
	c := serviceCommand("worker", "Run a sync worker: Kafka in, register out",
		"Reads decisions from Kafka, brings the register in line with them, and publishes how each one ended. Any number of\n"+
			"workers may run side by side, and may be added or killed at any time.",
		config.ReadWorker, func(ctx context.Context, c config.Worker, logTo io.Writer) error {
			if err := slow.validate(); err != nil {
				return usageError{err}
			}
			if slow.limit > 0 {
				c.CallsPerSecond = slow.limit
			}
			return runWorker(ctx, c, slow.latency, logTo)
		})
	c.Flags().DurationVar(&slow.latency, "register-latency", 0, "how long each call to the register is held up, to try out a slow one; up to 3s")
	c.Flags().IntVar(&slow.limit, "register-limit", 0, "calls a second, instead of CONTACTSYNC_REGISTER_CALLS_PER_SECOND")
	return c
}

func runWorker(ctx context.Context, c config.Worker, latency time.Duration, logTo io.Writer) error {
	p, err := newProcess(ctx, "worker", c.Common, syncpg.Schema(), logTo)
	if err != nil {
		return err
	}
	defer p.close()
	w, err := worker.New(worker.Config{
		Kafka: c.Kafka, Pool: p.pool, Pepper: c.Pepper, AuditKey: c.AuditKey, Source: c.Source, Now: p.clock.Now, Lease: c.Lease, Session: c.Session, ShareAhead: c.ShareAhead,
		RegisterURL: c.Register.URL, LogicalAddress: c.Register.LogicalAddress, TLS: c.Register.TLS, Codes: c.Register.Codes,
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
