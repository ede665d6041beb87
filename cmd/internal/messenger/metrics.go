package messenger

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"contactsync/consent/consentpg"
)

// Unpublished measures, at each scrape, what was decided here and is not in Kafka yet: a No that waits there is not carried out.
type Unpublished struct {
	store          *consentpg.Store
	waiting, since *prometheus.Desc
}

// NewUnpublished returns a collector to be registered.
func NewUnpublished(store *consentpg.Store) *Unpublished {
	return &Unpublished{store,
		prometheus.NewDesc("contactsync_outbox", "Messages that wait to be published.", nil, prometheus.Labels{"schema": "consent"}),
		prometheus.NewDesc("contactsync_oldest_unpublished_seconds",
			"Age of the oldest decision that was made here and is not in Kafka yet; 0 if there is none.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (u *Unpublished) Describe(out chan<- *prometheus.Desc) {
	out <- u.waiting
	out <- u.since
}

// Collect implements prometheus.Collector. Without a database there are no samples: the alarm on absence rings.
func (u *Unpublished) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // a scrape hands no context on
	defer cancel()
	count, oldest, err := u.store.Unpublished(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(u.waiting, err)
		return
	}
	out <- prometheus.MustNewConstMetric(u.waiting, prometheus.GaugeValue, float64(count))
	out <- prometheus.MustNewConstMetric(u.since, prometheus.GaugeValue, oldest.Seconds())
}
