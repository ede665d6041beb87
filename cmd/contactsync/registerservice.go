package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"contactsync/cmd/internal/run"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/outbox"
	"contactsync/consent/stream"
	"contactsync/contracts/mockregister"
)

// registerServer is what serves the register's contracts.
func registerServer(listener net.Listener, r *mockregister.Register) run.Server {
	return run.Server{Name: "register", Listener: listener, Handler: r.Handler()}
}

// changePublisher brings the register's signals to Kafka. The zero value publishes nothing.
type changePublisher struct {
	relay     *outbox.Relay
	publisher *stream.Publisher
}

// newChangePublisher makes the relay of the register's outbox. Without brokers there is none.
func newChangePublisher(kafka stream.Config, pool *pgxpool.Pool, log *slog.Logger) (changePublisher, error) {
	if len(kafka.Brokers) == 0 {
		return changePublisher{}, nil
	}
	publisher, err := stream.NewPublisher(kafka)
	if err != nil {
		return changePublisher{}, err
	}
	relay, err := outbox.New(outbox.Config{Pool: pool, Schema: "register", Publisher: publisher, Log: log})
	return changePublisher{relay, publisher}, err
}

// changeMessages makes of the register's signals what is published; nil where nothing is. register is its HSA-id.
func changeMessages(kafka stream.Config, pepper []byte, register string) func(mockregister.Signal) mockregister.Message {
	if len(kafka.Brokers) == 0 {
		return nil
	}
	source := "urn:hsaid:" + register
	return func(s mockregister.Signal) mockregister.Message {
		headers, value := event.Changed{
			// The id is the same whenever this signal is published again.
			ID:     uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%s/%s/%s/%d", source, s.Root, s.Extension, s.Version, s.Seq)).String(),
			Source: source, Person: event.AsSent(s.Root, s.Extension), Channel: contact.Channel(s.Channel), Version: s.Version, Time: s.At,
		}.Binary()
		m := mockregister.Message{Topic: event.TopicChanges, Key: event.Key(pepper, contact.KnownPersonID(s.Root, s.Extension)), Value: value}
		for _, h := range headers {
			m.Headers = append(m.Headers, h.Key, string(h.Value))
		}
		return m
	}
}

// keepRegister keeps the register's feed and publishes it until ctx ends, and then closes the register.
func keepRegister(ctx context.Context, r *mockregister.Register, p changePublisher) error {
	var work sync.WaitGroup
	work.Go(func() { r.Run(ctx) })
	if p.relay != nil {
		work.Go(func() { p.relay.Run(ctx) })
	}
	err := closeRegister(ctx, r)
	work.Wait()
	if p.publisher != nil {
		err = errors.Join(err, p.publisher.Close())
	}
	return err
}

// registerMetrics measures the register's feed at each scrape.
type registerMetrics struct {
	register     *mockregister.Register
	lag, waiting *prometheus.Desc
}

func newRegisterMetrics(r *mockregister.Register) *registerMetrics {
	return &registerMetrics{r,
		prometheus.NewDesc("contactsync_register_feed_lag_seconds", "Age of the oldest change in the register that is not in its feed yet; 0 if there is none.", nil, nil),
		prometheus.NewDesc("contactsync_outbox", "Messages that wait to be published.", nil, prometheus.Labels{"schema": "register"})}
}

// Describe implements prometheus.Collector.
func (m *registerMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.lag
	out <- m.waiting
}

// Collect implements prometheus.Collector. Without a database there are no samples: the alarm on absence rings.
func (m *registerMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // a scrape hands no context on
	defer cancel()
	lag, waiting, err := m.register.FeedLag(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(m.lag, err)
		return
	}
	out <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, lag.Seconds())
	out <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(waiting))
}
