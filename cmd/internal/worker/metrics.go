package worker

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	calls *prometheus.CounterVec
	took  *prometheus.HistogramVec
	lost  prometheus.Counter
}

func newMetrics(r prometheus.Registerer, pool *pgxpool.Pool) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "contactsync_register_calls_total",
			Help: "Calls to the register, by how they ended and whose fault it was."}, []string{"contract", "operation", "outcome", "blame"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "contactsync_register_call_seconds",
			Help: "Time of a call to the register, retries included.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"operation"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "contactsync_lost_records_total",
			Help: "Records that Kafka deleted before they were read."}),
	}
	r.MustRegister(m.calls, m.took, m.lost, &backlog{pool})
	return m
}

func (m *metrics) observeCall(operation, outcome, blame string, took time.Duration) {
	m.calls.WithLabelValues("personv4", operation, outcome, blame).Inc()
	m.took.WithLabelValues(operation).Observe(took.Seconds())
}

// backlog is asked for at each scrape.
type backlog struct{ pool *pgxpool.Pool }

var (
	oldestDesc = prometheus.NewDesc("contactsync_oldest_unapplied_seconds",
		"Age of the oldest decision that the register does not show yet; 0 if there is none.", []string{"decision"}, nil)
	dueDesc    = prometheus.NewDesc("contactsync_due", "Persons whose register record is behind.", []string{"decision"}, nil)
	parkedDesc = prometheus.NewDesc("contactsync_parked", "Decisions that are parked, by reason.", []string{"reason"}, nil)
	outboxDesc = prometheus.NewDesc("contactsync_outbox", "Messages that wait to be published.", []string{"schema"}, nil)
)

// Describe implements prometheus.Collector.
func (*backlog) Describe(out chan<- *prometheus.Desc) {
	out <- oldestDesc
	out <- dueDesc
	out <- parkedDesc
	out <- outboxDesc
}

// Collect implements prometheus.Collector. Without a database there are no samples: the alarm on absence rings.
func (b *backlog) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	b.gauges(ctx, out, oldestDesc, `
		select d, coalesce(extract(epoch from max(now() - since)), 0)::float8
		from (values ('withdraw', true), ('share', false)) v (d, u) left join sync.due on urgent = u group by d`)
	b.gauges(ctx, out, dueDesc, `
		select d, count(person_id)::float8
		from (values ('withdraw', true), ('share', false)) v (d, u) left join sync.due on urgent = u group by d`)
	b.gauges(ctx, out, parkedDesc, `
		select reason, count(*)::float8 from (
			select blocked as reason from sync.channel where blocked <> ''
			union all select parked from sync.channel where parked <> ''
			union all select 'guardian_unconfirmed' from sync.channel where waiting <> '[]') p group by reason`)
	b.gauges(ctx, out, outboxDesc, `select 'sync', count(*)::float8 from sync.outbox`)
}

func (b *backlog) gauges(ctx context.Context, out chan<- prometheus.Metric, desc *prometheus.Desc, query string) {
	rows, err := b.pool.Query(ctx, query)
	if err != nil {
		out <- prometheus.NewInvalidMetric(desc, err)
		return
	}
	var label string
	var value float64
	if _, err := pgx.ForEachRow(rows, []any{&label, &value}, func() error {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, label)
		return nil
	}); err != nil {
		out <- prometheus.NewInvalidMetric(desc, err)
	}
}
