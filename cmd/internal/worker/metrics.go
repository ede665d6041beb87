package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"contactsync/consent/reason"
	"contactsync/sync/syncpg"
)

// metrics are the worker's: counted as things happen, or asked for at each scrape.
type metrics struct {
	calls *prometheus.CounterVec
	took  *prometheus.HistogramVec
	read  *prometheus.CounterVec
	lost  prometheus.Counter

	proved   prometheus.Histogram
	unproved prometheus.Counter
}

func newMetrics(r prometheus.Registerer, store *syncpg.Store) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "contactsync_register_calls_total",
			Help: "Calls to the register, by how they ended and whose fault it was."}, []string{"contract", "operation", "outcome", "blame"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "contactsync_register_call_seconds",
			Help: "Time of a call to the register, retries included.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"operation"}),
		read: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "contactsync_records_total",
			Help: "Records read from Kafka: taken, refused or unreadable, and why."}, []string{"result", "reason"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "contactsync_lost_records_total",
			Help: "Records that Kafka deleted before they were read."}),
		proved: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "contactsync_removal_proved_seconds",
			Help: "Time from a withdrawal until the register was seen to show nothing.", Buckets: prometheus.ExponentialBuckets(0.05, 2, 20)}),
		unproved: prometheus.NewCounter(prometheus.CounterOpts{Name: "contactsync_removals_undone_total",
			Help: "Withdrawn details that stood in the register again when they were looked for."}),
	}
	return m, errors.Join(r.Register(m.calls), r.Register(m.took), r.Register(m.read), r.Register(m.lost), r.Register(m.proved),
		r.Register(m.unproved), r.Register(newBacklog(store)))
}

// observer counts the calls of one contract.
func (m *metrics) observer(contract string) func(operation, outcome, blame string, took time.Duration) {
	return func(operation, outcome, blame string, took time.Duration) {
		m.calls.WithLabelValues(contract, operation, outcome, blame).Inc()
		m.took.WithLabelValues(operation).Observe(took.Seconds())
	}
}

func (m *metrics) countRecord(result string, why reason.Code) {
	m.read.WithLabelValues(result, string(why)).Inc()
}

// backlog is asked for at each scrape.
type backlog struct {
	count func(context.Context) (syncpg.Backlog, error)

	mu   sync.Mutex
	last syncpg.Backlog
	good time.Time // until when the last one is

	oldest, due, parked, outbox, questions, unproved, oldestUnproved *prometheus.Desc
}

func newBacklog(store *syncpg.Store) *backlog {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &backlog{
		count: store.Backlog,
		oldest: desc("contactsync_oldest_unapplied_seconds",
			"Age of the oldest decision that the register does not show yet; 0 if there is none.", "decision"),
		due:       desc("contactsync_due", "Persons whose register record is behind.", "decision"),
		parked:    desc("contactsync_parked", "Decisions that are parked, by reason.", "reason"),
		questions: desc("contactsync_questions", "Persons about whom the register is to be asked who they are."),
		unproved:  desc("contactsync_unproved", "Removals that the register has not been seen to show yet."),
		oldestUnproved: desc("contactsync_oldest_unproved_seconds",
			"Age of the oldest removal that the register has not been seen to show yet; 0 if there is none."),
		// The portal has the same of its own schema.
		outbox: prometheus.NewDesc("contactsync_outbox", "Messages that wait to be published.", nil, prometheus.Labels{"schema": "sync"}),
	}
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{b.oldest, b.due, b.parked, b.outbox, b.questions, b.unproved, b.oldestUnproved} {
		out <- d
	}
}

// Collect implements prometheus.Collector. Without a database there are no samples: the alarm on absence rings.
func (b *backlog) Collect(out chan<- prometheus.Metric) {
	now, err := b.look()
	if err != nil {
		out <- prometheus.NewInvalidMetric(b.oldest, err)
		return
	}
	gauge := func(d *prometheus.Desc, value float64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, label)
	}
	for decision, waiting := range map[string]syncpg.Waiting{"withdraw": now.Withdrawals, "share": now.Shares} {
		gauge(b.oldest, waiting.Oldest.Seconds(), decision)
		gauge(b.due, float64(waiting.Persons), decision)
	}
	for _, why := range parkable() { // also those of which there is none: a series that begins at 1 has not grown
		gauge(b.parked, float64(now.Parked[why]), string(why))
	}
	out <- prometheus.MustNewConstMetric(b.questions, prometheus.GaugeValue, float64(now.Questions))
	out <- prometheus.MustNewConstMetric(b.unproved, prometheus.GaugeValue, float64(now.Unproved.Persons))
	out <- prometheus.MustNewConstMetric(b.oldestUnproved, prometheus.GaugeValue, now.Unproved.Oldest.Seconds())
	out <- prometheus.MustNewConstMetric(b.outbox, prometheus.GaugeValue, float64(now.Outbox))
}

const (
	// countTimeout is of a count of all that waits: 0.2 s for a million persons. Prometheus waits ten seconds for a scrape.
	countTimeout = 8 * time.Second
	// countRest is how many times as long as it took a count stands for those that would follow: it must not take what the backlog needs.
	countRest = 10
)

// look counts, or gives what was counted a moment ago.
func (b *backlog) look() (syncpg.Backlog, error) {
	b.mu.Lock() // scrapes at the same time share a count
	defer b.mu.Unlock()
	began := time.Now()
	if began.Before(b.good) {
		return b.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout) // a scrape hands no context on
	defer cancel()
	now, err := b.count(ctx)
	if err == nil {
		ended := time.Now()
		b.last, b.good = now, ended.Add(countRest*ended.Sub(began))
	}
	return now, err
}

// parkable are the reasons for which a decision can wait.
func parkable() []reason.Code {
	return []reason.Code{reason.PersonUnknown, reason.PersonDeceased, reason.ProtectedNoAuthority, reason.ContractCannotExpress,
		reason.RegisterRefused, reason.GuardianUnconfirmed}
}
