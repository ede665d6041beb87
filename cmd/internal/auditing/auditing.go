// Package auditing is what the services and the command `audit` do with the audit logs: seal them, answer who looked, export.
//
// It knows all three: access (who used the register's contracts), consent (decisions at the portal, and what support did) and sync
// (what the worker brought into the register). Start with NewSealer and Reader.
package auditing

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/consent/audit"
)

// SealerConfig is what a sealer needs; all fields are required.
type SealerConfig struct {
	Pool    *pgxpool.Pool
	Log     audit.Log
	Key     audit.Key
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// NewSealer makes the sealer of a service's own log, with its metrics.
func NewSealer(c SealerConfig) (*audit.Sealer, error) {
	s, err := audit.NewSealer(audit.SealerConfig{Pool: c.Pool, Log: c.Log, Key: c.Key, Now: time.Now, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	return s, c.Metrics.Register(newSealing(s))
}

const lastTimeout = 2 * time.Second

// Last seals what the writers left, once they have ended: whoever stops does so in good order, and owes the log a last link.
func Last(ctx context.Context, s *audit.Sealer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTimeout)
	defer cancel()
	s.Last(ctx)
}

// sealing is asked for at each scrape.
type sealing struct {
	sealer                  *audit.Sealer
	unsealed, links, broken *prometheus.Desc
}

func newSealing(s *audit.Sealer) *sealing {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, nil, prometheus.Labels{"log": s.Log.Name})
	}
	return &sealing{s,
		desc("contactsync_audit_unsealed_seconds", "Age of the oldest row of an audit log that no link seals yet; 0 if there is none."),
		desc("contactsync_audit_links", "Links of an audit log's chain, as far as this process has seen."),
		desc("contactsync_audit_broken", "1 if an audit log's chain was changed behind its back, or cannot go on; the log says which.")}
}

// Describe implements prometheus.Collector.
func (s *sealing) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.unsealed, s.links, s.broken} {
		out <- d
	}
}

// Collect implements prometheus.Collector. Without a database there are no samples: the alarm on absence rings.
func (s *sealing) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // a scrape hands no context on
	defer cancel()
	state, err := s.sealer.State(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(s.unsealed, err)
		return
	}
	broken := 0.0
	if state.Broken {
		broken = 1
	}
	for desc, value := range map[*prometheus.Desc]float64{s.unsealed: state.Unsealed.Seconds(), s.links: float64(state.Links), s.broken: broken} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
