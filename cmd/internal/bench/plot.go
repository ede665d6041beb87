package bench

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Sizes of a plot, in its own units.
const (
	plotWidth  = 760
	labelWidth = 250 // left of the bars
	barWidth   = 400 // of the longest
	barHeight  = 16
	gap        = 12
	curveHigh  = 200
)

const (
	colourOurs     = "#2a6fbb"
	colourBaseline = "#a8b0b8"
	colourInk      = "#222222"
)

// Plot draws reports as a picture (SVG): a pair of bars for each figure that has a baseline, from the least to the most by a line across
// its end; and of the register what one id costs over how many persons are stored.
func Plot(reports []Report) []byte {
	p := &plot{y: gap}
	var sizes []Report
	for _, r := range reports {
		if _, ok := r.spreads[lookupPerS]; ok {
			sizes = append(sizes, r)
			continue
		}
		p.bars(r)
	}
	if len(sizes) > 0 {
		p.curve(sizes)
	}
	p.text(gap, p.y+gap, "start", "#666666", reports[0].On.String()+"; "+runsText(reports[0].Runs))
	p.y += 2 * gap
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" font-family="sans-serif" font-size="11">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, plotWidth, p.y, plotWidth, p.out.Bytes())
}

// plot is a picture in the making, from the top downwards.
type plot struct {
	out bytes.Buffer
	y   int
}

func (p *plot) text(x, y int, anchor, colour, text string) {
	fmt.Fprintf(&p.out, `<text x="%d" y="%d" text-anchor="%s" fill="%s">`, x, y, anchor, colour)
	_ = xml.EscapeText(&p.out, []byte(text)) // a buffer takes everything
	p.out.WriteString("</text>\n")
}

func (p *plot) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(&p.out, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

// heading begins a scenario.
func (p *plot) heading(text string) {
	p.y += gap
	p.text(gap, p.y, "start", colourInk, text)
	p.y += gap / 2
}

func (p *plot) bars(r Report) {
	p.heading(r.Scenario + " — blue: contactsync, grey: " + r.Baseline)
	for _, l := range rows() {
		own, ok := r.spreads[l.ours]
		base, both := r.spreads[l.baseline]
		if !ok || l.baseline != "" && !both || l.baseline == "" && l.ours != ratePerS {
			continue
		}
		top := cmp.Or(max(own.most, base.most), 1)
		p.text(labelWidth-gap/2, p.y+barHeight, "end", colourInk, l.label)
		p.bar(own, top, colourOurs, r.cell(l.ours, l.decimals))
		if both {
			p.bar(base, top, colourBaseline, r.cell(l.baseline, l.decimals))
		}
		p.y += gap / 2
	}
}

func (p *plot) bar(s spread, top float64, colour, label string) {
	at := func(v float64) float64 { return labelWidth + barWidth*v/top }
	middle := float64(p.y) + barHeight/2
	fmt.Fprintf(&p.out, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", labelWidth, p.y, at(s.median)-labelWidth, barHeight-2, colour)
	p.line(at(s.least), middle, at(s.most), middle, colourInk)
	p.text(int(at(max(s.median, s.most)))+gap/2, p.y+barHeight-4, "start", colourInk, label)
	p.y += barHeight
}

// curve draws what one id costs, over the number of persons on a logarithmic axis.
func (p *plot) curve(sizes []Report) {
	slices.SortFunc(sizes, func(a, b Report) int { return cmp.Compare(a.spreads[persons].median, b.spreads[persons].median) })
	p.heading("register — one id of a lookup of a thousand, µs (2 callers), over how many persons are stored")
	cost := func(perS float64) float64 { return 1e6 / max(perS, 1) }
	top := 0.0
	for _, r := range sizes {
		top = max(top, cost(r.spreads[lookupPerS].least))
	}
	least, most := math.Log10(sizes[0].spreads[persons].median), math.Log10(sizes[len(sizes)-1].spreads[persons].median)
	x := func(n float64) float64 { return 60 + (plotWidth-180)*(math.Log10(n)-least)/max(most-least, 1e-9) }
	floor := float64(p.y + curveHigh)
	y := func(c float64) float64 { return floor - (curveHigh-2*gap)*c/top }
	p.line(50, floor, plotWidth-60, floor, colourInk)
	var before *[2]float64
	for _, r := range sizes {
		n, s := r.spreads[persons].median, r.spreads[lookupPerS]
		here := [2]float64{x(n), y(cost(s.median))}
		if before != nil {
			p.line(before[0], before[1], here[0], here[1], colourOurs)
		}
		before = &here
		p.line(here[0], y(cost(s.least)), here[0], y(cost(s.most)), colourInk)
		fmt.Fprintf(&p.out, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", here[0], here[1], colourOurs)
		p.text(int(here[0]), int(floor)+gap, "middle", colourInk, thousands(int64(n)))
		p.text(int(here[0])+6, int(here[1])-6, "start", colourInk, strconv.FormatFloat(cost(s.median), 'f', 1, 64))
	}
	p.y += curveHigh + 2*gap
}

// thousands writes a number with spaces.
func thousands(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s %03d", thousands(n/1000), n%1000)
}
