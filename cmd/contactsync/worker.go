package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/cmd/internal/worker"
	"contactsync/consent/event"
	"contactsync/consent/stream"
	"contactsync/sync/syncpg"
)

// workerConfig is what a worker needs from its surroundings.
type workerConfig struct {
	Pool        *pgxpool.Pool
	Kafka       string // host:port
	RegisterURL string // https URL without a path
	RegisterTLS *tls.Config
	Metrics     *prometheus.Registry
	Log         *slog.Logger
}

// newWorker brings the schema up to date and puts a worker together, with the published development pepper.
func newWorker(ctx context.Context, c workerConfig, hsaID string) (*worker.Worker, error) {
	if err := syncpg.Migrate(ctx, c.Pool); err != nil {
		return nil, fmt.Errorf("prepare the worker's schema: %w", err)
	}
	return worker.New(worker.Config{
		Kafka: stream.Config{Brokers: []string{c.Kafka}}, Pool: c.Pool, Pepper: []byte(event.DevelopmentPepper), Source: "urn:hsaid:" + hsaID,
		RegisterURL: c.RegisterURL, LogicalAddress: registerAddress, TLS: c.RegisterTLS,
		Log: c.Log, Metrics: c.Metrics,
	})
}
