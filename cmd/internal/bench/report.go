package bench

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Report is what all runs of one scenario gave.
type Report struct {
	Scenario string
	Title    string
	Baseline string // what stands beside
	Runs     int
	On       Machine
	spreads  map[name]spread
	flat     *bool // memory does not grow; nil: not asked
}

func summarize(s scenario, measured []figures, on Machine) Report {
	r := Report{Scenario: s.name, Title: s.title, Baseline: cmp.Or(s.baseline, "plain loop"), Runs: len(measured), On: on, spreads: map[name]spread{}}
	for n := range measured[0] {
		var values []float64
		for _, f := range measured {
			values = append(values, f[n])
		}
		r.spreads[n] = spreadOf(values)
	}
	if tenth, ok := r.spreads[rssMB10]; ok {
		r.flat = new(max(r.spreads[rssMB50].most, r.spreads[rssMB100].most) <= mayGrow*tenth.least)
	}
	return r
}

// value is what stands for a figure: the median, but of what should never happen the sum.
func (r Report) value(n name) (float64, bool) {
	s, ok := r.spreads[n]
	if slices.Contains([]name{outOfOrder, duplicates, baselineDuplicates, refusedCalls}, n) {
		return s.sum, ok
	}
	return s.median, ok
}

// order is that of the names in JSON.
func order() []name {
	return []name{ratePerS, baselinePerS, rateAfter, baselineAfter, p50, p99, baselineP50, baselineP99, pushesPerS, callsPerPerson, mostCalls, refusedCalls,
		outOfOrder, duplicates, baselineDuplicates, resumeS, baselineResume, outageS, limitUsed, withdrawals, baselineWait, stored, baselineStored, ratio,
		rssMB, baselineRSS, rssMB10, rssMB50, rssMB100, heapMB10, heapMB50, heapMB100, decisions, persons, baselineDecisions,
		lookupPerS, lookupP50, lookupP99, readP50, readP99}
}

// MarshalJSON writes one object: the figures that apply, as medians, what they were measured on, and the least and the most.
func (r Report) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"scenario":%q`, r.Scenario)
	spans := map[name][2]float64{}
	for _, n := range order() {
		if v, ok := r.value(n); ok {
			fmt.Fprintf(&out, ",%q:%v", n, rounded(v))
			spans[n] = [2]float64{rounded(r.spreads[n].least), rounded(r.spreads[n].most)}
		}
	}
	if r.flat != nil {
		fmt.Fprintf(&out, `,"flat":%t`, *r.flat)
	}
	on, err1 := json.Marshal(r.On)
	span, err2 := json.Marshal(spans)
	fmt.Fprintf(&out, `,"runs":%d,"on":%s,"range":%s}`, r.Runs, on, span)
	for _, err := range []error{err1, err2} {
		if err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func rounded(v float64) float64 { return math.Round(v*100) / 100 }

// row is a line of the table.
type row struct {
	label          string
	ours, baseline name // baseline may be empty
	decimals       int
}

func rows() []row {
	return []row{
		{"decisions/s", ratePerS, baselinePerS, 0},
		{"  after the outage", rateAfter, baselineAfter, 0},
		{"p50, ms", p50, baselineP50, 1},
		{"p99, ms", p99, baselineP99, 1},
		{"pushes/s", pushesPerS, "", 0},
		{"register calls per person", callsPerPerson, "", 2},
		{"most calls in one second", mostCalls, "", 0},
		{"calls refused by the limit", refusedCalls, "", 0},
		{"writes out of order", outOfOrder, "", 0},
		{"writes that changed nothing", duplicates, baselineDuplicates, 0},
		{"from the register's return to the full rate, s", resumeS, baselineResume, 2},
		{"share of the allowed calls that was used", limitUsed, "", 3},
		{"behind the backlog a withdrawal would wait, s", "", baselineWait, 0},
		{"rows stored", stored, baselineStored, 0},
		{"persons/s, lookups of 1000 by two callers", lookupPerS, "", 0},
		{"  p50 of a lookup by one caller, ms", lookupP50, "", 1},
		{"  p99 of a lookup by one caller, ms", lookupP99, "", 1},
		{fmt.Sprintf("%d single reads/s (personv4): p50, ms", readRate), readP50, "", 1},
		{"  p99, ms", readP99, "", 1},
		{"resident memory, MB", rssMB, baselineRSS, 0},
		{"  at 10 %", rssMB10, "", 0},
		{"  at 50 %", rssMB50, "", 0},
		{"  at 100 %", rssMB100, "", 0},
		{"live heap at 10 %, MB", heapMB10, "", 1},
		{"  at 50 %", heapMB50, "", 1},
		{"  at 100 %", heapMB100, "", 1},
	}
}

// WriteTable writes the report for people.
func (r Report) WriteTable(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "%s: %s\n  on %s; %s\n", r.Scenario, r.Title, r.On, runsText(r.Runs)); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	heading := "  \tcontactsync"
	if n, ok := r.value(baselineDecisions); ok {
		heading += fmt.Sprintf("\t%s (%.0f decisions)\tratio", r.Baseline, n)
	}
	fmt.Fprintln(w, heading)
	for _, line := range rows() {
		_, ours := r.spreads[line.ours]
		if _, base := r.spreads[line.baseline]; ours || base {
			fmt.Fprintln(w, r.line(line))
		}
	}
	if r.flat != nil {
		fmt.Fprintf(w, "  flat (never above %v times what it is at 10 %%)\t%s\n", mayGrow, map[bool]string{true: "yes", false: "NO"}[*r.flat])
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func runsText(n int) string {
	if n == 1 {
		return "one run"
	}
	return fmt.Sprintf("medians of %d runs (least–most)", n)
}

func (r Report) line(l row) string {
	cells := []string{"  " + l.label, r.cell(l.ours, l.decimals)}
	if base, ok := r.value(l.baseline); ok {
		cells = append(cells, r.cell(l.baseline, l.decimals))
		if own, ok := r.value(l.ours); ok && base != 0 {
			cells = append(cells, strconv.FormatFloat(own/base, 'f', 2, 64))
		}
	}
	return strings.Join(cells, "\t")
}

// cell is a figure with its span, where it has one.
func (r Report) cell(n name, decimals int) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', decimals, 64) }
	v, ok := r.value(n)
	if !ok {
		return ""
	}
	s := r.spreads[n]
	if least, most := number(s.least), number(s.most); least != most {
		return fmt.Sprintf("%s (%s–%s)", number(v), least, most)
	}
	return number(v)
}
