package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"contactsync/cmd/internal/auditing"
	"contactsync/cmd/internal/config"
	"contactsync/cmd/internal/database"
	"contactsync/cmd/internal/run"
	"contactsync/consent/audit"
	"contactsync/consent/pgschema"
	"contactsync/consent/stream"
)

// configured reads a command's variables and reports everything that is wrong with them at once, as a usage error.
func configured[T any](read func(*config.Reader) T) (T, error) {
	r := config.NewReader(os.Environ())
	c := read(r)
	if err := r.Err(config.KnownNames()...); err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// serviceCommand is a subcommand that runs one service until it is told to end.
func serviceCommand[T any](use, short, long string, read func(*config.Reader) T, serve func(context.Context, T, io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		Long: long + "\n\nIt is told what it needs by CONTACTSYNC_ variables: `contactsync check-config " + use + "` lists and judges them.\n" +
			"What is not there yet is waited for, and the log says what. SIGTERM ends it in good order.",
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := configured(read)
			if err != nil {
				return err
			}
			err = serve(c.Context(), settings, c.ErrOrStderr())
			if c.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
}

// process is what every service stands on. Close it in any case.
type process struct {
	log     *slog.Logger
	metrics *prometheus.Registry
	pool    *pgxpool.Pool
	clock   *database.Clock
	group   *errgroup.Group
	ctx     context.Context // of the group; process lives no longer than the function that made it
	ops     net.Listener
	opened  []net.Listener // all of them
	schema  pgschema.Schema
	sealer  *audit.Sealer // of the service's audit log; nil: the work itself seals it
}

// softMemory bounds a service, in bytes. What a worker holds does not follow its backlog, but its garbage would, while a long one is read.
const softMemory = 96 << 20

// newProcess opens the ops listener and makes a pool, which does not connect yet.
func newProcess(ctx context.Context, service string, c config.Common, schema pgschema.Schema, logTo io.Writer) (_ *process, err error) {
	run.BoundMemory(softMemory)
	log := slog.New(slog.NewJSONHandler(logTo, &slog.HandlerOptions{Level: c.LogLevel})).With("service", service)
	p := &process{log: log, metrics: newMetrics(), schema: schema}
	if p.pool, err = pgxpool.NewWithConfig(ctx, c.Postgres); err != nil {
		return nil, err
	}
	if p.ops, err = p.listen(c.Ops, "OPS_LISTEN"); err != nil {
		p.close()
		return nil, err
	}
	p.clock = database.NewClock(p.pool, log, time.Now)
	offset := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "contactsync_clock_behind_seconds",
		Help: "What this machine's clock lacks against PostgreSQL's."}, func() float64 { return p.clock.Offset().Seconds() })
	p.metrics.MustRegister(offset)
	p.group, p.ctx = errgroup.WithContext(ctx)
	return p, nil
}

func newMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func (p *process) listen(address, variable string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open CONTACTSYNC_%s: %w", variable, err)
	}
	p.opened = append(p.opened, l)
	return l, nil
}

// close gives up what was opened. What was served has closed its listener already.
func (p *process) close() {
	for _, l := range p.opened {
		_ = l.Close()
	}
	p.pool.Close()
}

// serveOps answers probes from now on. PostgreSQL is needed by every service.
func (p *process) serveOps(needed, beside map[string]run.Check) {
	all := map[string]run.Check{"postgres": database.Ready(p.pool, p.schema)}
	maps.Copy(all, needed)
	ops := run.NewOps(run.OpsConfig{Checks: all, Beside: beside, Metrics: p.metrics, Now: time.Now, Log: p.log})
	p.group.Go(func() error { ops.Watch(p.ctx); return nil })
	p.serve(run.Server{Name: "ops", Listener: p.ops, Handler: ops.Handler()})
}

// seal has the service's audit log sealed while it works, and once more when all has ended.
func (p *process) seal(log audit.Log, key audit.Key) (err error) {
	p.sealer, err = auditing.NewSealer(auditing.SealerConfig{Pool: p.pool, Log: log, Key: key, Logger: p.log, Metrics: p.metrics})
	return err
}

func (p *process) serve(s run.Server) {
	s.Log = p.log
	p.group.Go(func() error { return run.Serve(p.ctx, s) })
}

// topics returns a check that Kafka answers and no topic would lose anything as it is. It is one of those beside: to go on reading
// a topic that compacts or deletes too early loses less than to stop.
func (p *process) topics(c stream.Config) run.Check {
	faulty := prometheus.NewGauge(prometheus.GaugeOpts{Name: "contactsync_topics_faulty",
		Help: "1 while a topic is missing, or would lose decisions as it is set up; the log says which and why."})
	p.metrics.MustRegister(faulty)
	return func(ctx context.Context) error {
		_, err := stream.CheckTopics(ctx, c, stream.Topics())
		_, fault := errors.AsType[*stream.TopicFault](err)
		if fault {
			faulty.Set(1)
		} else if err == nil {
			faulty.Set(0)
		}
		return err
	}
}

// run does the work once PostgreSQL is fit for it, and waits for everything to end.
func (p *process) run(work func(context.Context) error) error {
	started := false
	p.group.Go(func() error {
		if err := run.Await(p.ctx, p.log, "postgres", database.Ready(p.pool, p.schema)); err != nil {
			return err
		}
		if err := run.Await(p.ctx, p.log, "clock", p.clock.Measure); err != nil {
			return err
		}
		p.group.Go(func() error { p.clock.Run(p.ctx); return nil })
		if p.sealer != nil {
			p.group.Go(func() error { p.sealer.Run(p.ctx); return nil })
			started = true
		}
		p.log.Info("started", "build", buildVersion())
		return work(p.ctx)
	})
	err := p.group.Wait()
	if started {
		auditing.Last(p.ctx, p.sealer)
	}
	p.log.Info("ended")
	return err
}
