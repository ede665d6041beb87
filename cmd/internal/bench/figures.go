package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// name is a figure's name in JSON.
type name string

// The figures. Which of them there are depends on the scenario.
const (
	ratePerS          name = "rate_per_s"
	baselinePerS      name = "baseline_per_s"
	p50               name = "p50_ms"
	p99               name = "p99_ms"
	baselineP50       name = "baseline_p50_ms"
	baselineP99       name = "baseline_p99_ms"
	pushesPerS        name = "pushes_per_s"
	callsPerPerson    name = "calls_per_person"
	mostCalls         name = "max_calls_in_one_second"
	refusedCalls      name = "refused_calls"
	outOfOrder        name = "out_of_order"
	duplicates        name = "duplicates"
	rssMB             name = "rss_mb"
	rssMB10           name = "rss_mb_10"
	rssMB50           name = "rss_mb_50"
	rssMB100          name = "rss_mb_100"
	heapMB10          name = "heap_mb_10"
	heapMB50          name = "heap_mb_50"
	heapMB100         name = "heap_mb_100"
	decisions         name = "decisions"
	persons           name = "persons"
	baselineDecisions name = "baseline_decisions"
	lookupPerS        name = "lookup_persons_per_s"
	lookupP50         name = "lookup_p50_ms"
	lookupP99         name = "lookup_p99_ms"
	readP50           name = "read_p50_ms"
	readP99           name = "read_p99_ms"

	resumeS            name = "resume_s"
	rateAfter          name = "rate_after_per_s"
	baselineAfter      name = "baseline_after_per_s"
	baselineResume     name = "baseline_resume_s"
	baselineDuplicates name = "baseline_duplicates"
	outageS            name = "outage_s"
	limitUsed          name = "limit_used"
	withdrawals        name = "withdrawals"
	baselineWait       name = "baseline_wait_s"
	stored             name = "stored"
	baselineStored     name = "baseline_stored"
	baselineRSS        name = "baseline_rss_mb"
	ratio              name = "ratio"
)

// figures are what one run gave.
type figures map[name]float64

// String is for a line of progress.
func (f figures) String() string {
	if v, ok := f[lookupPerS]; ok {
		return fmt.Sprintf("%.0f persons/s by lookup, p99 %.1f ms; %d reads/s, p99 %.1f ms", v, f[lookupP99], readRate, f[readP99])
	}
	parts := []string{fmt.Sprintf("%.0f decisions/s", f[ratePerS])}
	if v, ok := f[p50]; ok {
		parts = append(parts, fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", v, f[p99]))
	}
	if v, ok := f[resumeS]; ok {
		parts = append(parts, fmt.Sprintf("full rate %.2f s after the return", v))
	}
	if v, ok := f[limitUsed]; ok {
		parts = append(parts, fmt.Sprintf("%.1f %% of the allowed calls", 100*v))
	}
	if v, ok := f[baselineP50]; ok {
		parts = append(parts, fmt.Sprintf("baseline p50 %.1f ms", v))
	} else if v, ok := f[baselinePerS]; ok {
		parts = append(parts, fmt.Sprintf("baseline %.0f", v))
	}
	return strings.Join(parts, ", ")
}

// percentile is the smallest of the values, which are sorted, that at least p of a hundred do not exceed. 0 if there are none.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// spread is a figure over all runs.
type spread struct{ median, least, most, sum float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	s := spread{least: sorted[0], most: sorted[len(sorted)-1]}
	half := len(sorted) / 2
	s.median = sorted[half]
	if len(sorted)%2 == 0 {
		s.median = (sorted[half-1] + sorted[half]) / 2
	}
	for _, v := range sorted {
		s.sum += v
	}
	return s
}
