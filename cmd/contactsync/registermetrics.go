package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"contactsync/contracts/mockregister"
)

// deprecatedCalls tells, at each scrape, who still calls contracts that are to go.
type deprecatedCalls struct {
	register *mockregister.Register
	total    *prometheus.Desc
}

func newDeprecatedCalls(register *mockregister.Register) deprecatedCalls {
	return deprecatedCalls{register, prometheus.NewDesc("contactsync_register_deprecated_calls_total",
		"Calls of contracts that are deprecated, by HSA-id of the caller; other: those whom the register does not know.",
		[]string{"contract", "major", "caller"}, nil)}
}

// Describe implements prometheus.Collector.
func (d deprecatedCalls) Describe(out chan<- *prometheus.Desc) { out <- d.total }

// Collect implements prometheus.Collector.
func (d deprecatedCalls) Collect(out chan<- prometheus.Metric) {
	for _, c := range d.register.DeprecatedCalls() {
		out <- prometheus.MustNewConstMetric(d.total, prometheus.CounterValue, float64(c.Calls),
			c.Contract.Name, strconv.Itoa(c.Contract.Major), c.Caller)
	}
}
