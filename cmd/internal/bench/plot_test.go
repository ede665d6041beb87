package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func report(s scenario, measured ...figures) Report {
	return summarize(s, measured, Machine{CPU: "a < b"})
}

// wellFormed fails unless the picture can be read as XML; it returns how many elements of each name it has.
func wellFormed(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	elements := map[string]int{}
	reader := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := reader.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements[start.Name.Local]++
		}
	}
}

func TestPlotHasABarForEachSide(t *testing.T) {
	t.Parallel()
	svg := Plot([]Report{report(scenario{name: "ordered"}, figures{ratePerS: 1000, baselinePerS: 200, baselineDecisions: 9},
		figures{ratePerS: 2000, baselinePerS: 300, baselineDecisions: 9})})
	got := wellFormed(t, svg)
	if got["rect"] != 1+2 || got["line"] != 2 { // the ground, and a bar with a spread for each
		t.Errorf("%d rectangles, %d lines: want 3 and 2", got["rect"], got["line"])
	}
	for _, want := range []string{"ordered", "1500 (1000–2000)", "250 (200–300)", "a &lt; b"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("%q is missing in %s", want, svg)
		}
	}
}

func TestPlotOfTheRegisterIsACurve(t *testing.T) {
	t.Parallel()
	register := scenario{name: "register"}
	svg := Plot([]Report{ // in whatever order
		report(register, figures{persons: 1_000_000, lookupPerS: 20_000}),
		report(register, figures{persons: 10_000, lookupPerS: 25_000}),
	})
	if got := wellFormed(t, svg); got["circle"] != 2 || got["line"] != 1+2+1 { // the axis, the spreads, the curve
		t.Errorf("%d points, %d lines: want 2 and 4", got["circle"], got["line"])
	}
	for _, want := range []string{"10 000", "1 000 000", "40.0", "50.0"} {
		if !strings.Contains(string(svg), ">"+want+"<") {
			t.Errorf("%q is missing in %s", want, svg)
		}
	}
}

func TestPlotOfOneSize(t *testing.T) {
	t.Parallel()
	svg := Plot([]Report{report(scenario{name: "register"}, figures{persons: 10, lookupPerS: 1})})
	if wellFormed(t, svg)["circle"] != 1 || bytes.Contains(svg, []byte("NaN")) {
		t.Errorf("no picture: %s", svg)
	}
}
