// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// chart is a plot of figures against the number of containers.
type chart struct {
	name, title string // of the file, without its ending, and above the plot
	curves      []curve
}

// curve is one line of a chart. Those of a chart lie one above the other, in order.
type curve struct {
	label string
	of    func(eventCost) value
}

func charts() []chart {
	return []chart{
		{"cpu", "CPU of the daemon for one event, ms", []curve{{"", func(e eventCost) value { return e.CPU }}}},
		{"latency", "Engine's answer to seen by a watcher, ms", []curve{
			{"p50", func(e eventCost) value { return e.Seen.P50 }},
			{"p95", func(e eventCost) value { return e.Seen.P95 }},
			{"p99", func(e eventCost) value { return e.Seen.P99 }},
		}},
		{"memory", "Resident memory of the daemon, MB", []curve{{"", func(e eventCost) value { return e.Memory }}}},
	}
}

// plotFile plots the cost of events that a report has, into a directory.
func plotFile(file, dir string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Events) < 2 {
		return errors.New("there is nothing to plot: the part beside was not measured")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range charts() {
		name := filepath.Join(dir, c.name+".svg")
		if err := os.WriteFile(name, []byte(c.svg(r.Events)), 0o644); err != nil {
			return err
		}
		fmt.Println(name)
	}
	return nil
}

// The plot's places, in pixels.
const (
	plotWidth, plotHeight   = 560, 260
	plotLeft, plotRight     = 56, 512
	plotTop, plotBottom     = 44, 212
	steps                   = 4 // on the upright axis
	labelUnder, titleOffset = 18, 24
	lineHeight              = 13
)

// style follows the reader's light or dark, and needs no background of its own.
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #59636e }
.title { font-size: 14px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
path { fill: none; stroke-width: 2; stroke-linejoin: round }
.c0 { stroke: #0969da } circle.c0, text.c0 { fill: #0969da; stroke: none }
.c1 { stroke: #bc4c00 } circle.c1, text.c1 { fill: #bc4c00; stroke: none }
.c2 { stroke: #8250df } circle.c2, text.c2 { fill: #8250df; stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #3d444d }
.c0 { stroke: #4493f8 } circle.c0, text.c0 { fill: #4493f8 }
.c1 { stroke: #f0883e } circle.c1, text.c1 { fill: #f0883e }
.c2 { stroke: #ab7df8 } circle.c2, text.c2 { fill: #ab7df8 }
}
</style>
`

// svg draws the chart: the numbers of containers on a logarithmic axis, which run
// up, the figures from zero.
func (c chart) svg(events []eventCost) string {
	top := 0.0
	for _, e := range events {
		for _, line := range c.curves {
			top = max(top, float64(line.of(e)))
		}
	}
	step := niceStep(top / steps)
	top = step * math.Max(1, math.Ceil(top/step))
	first, last := math.Log(float64(events[0].Beside)), math.Log(float64(events[len(events)-1].Beside))
	x := func(e eventCost) float64 {
		return plotLeft + (plotRight-plotLeft)*(math.Log(float64(e.Beside))-first)/(last-first)
	}
	y := func(v float64) float64 { return plotBottom - (plotBottom-plotTop)*v/top }

	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%d" role="img">`+"\n", plotWidth, plotHeight, plotHeight)
	fmt.Fprintf(&out, "<title>%s, beside the number of containers</title>\n%s", c.title, style)
	fmt.Fprintf(&out, `<text class="title" x="%d" y="%d">%s</text>`+"\n", plotLeft, titleOffset, c.title)
	for v := 0.0; v <= top+step/2; v += step {
		fmt.Fprintf(&out, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", plotLeft, plotRight, y(v), y(v))
		fmt.Fprintf(&out, `<text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n", plotLeft-8, y(v)+4, v)
	}
	for _, e := range events {
		fmt.Fprintf(&out, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(e), plotBottom+labelUnder, thousands(e.Beside))
	}
	fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="middle">containers</text>`+"\n", (plotLeft+plotRight)/2, plotBottom+2*labelUnder)
	label := math.Inf(1)
	for i, line := range c.curves {
		var path []string
		for _, e := range events {
			path = append(path, fmt.Sprintf("%.1f %.1f", x(e), y(float64(line.of(e)))))
		}
		fmt.Fprintf(&out, `<path class="c%d" d="M%s"/>`+"\n", i, strings.Join(path, " L"))
		for _, e := range events {
			fmt.Fprintf(&out, `<circle class="c%d" cx="%.1f" cy="%.1f" r="3.5"><title>%s</title></circle>`+"\n", i, x(e), y(float64(line.of(e))), line.of(e))
		}
		if line.label != "" {
			label = min(y(float64(line.of(events[len(events)-1])))+4, label-lineHeight)
			fmt.Fprintf(&out, `<text class="c%d" x="%d" y="%.1f">%s</text>`+"\n", i, plotRight+10, label, line.label)
		}
	}
	return out.String() + "</svg>\n"
}

// niceStep returns the least of 1, 2 and 5 times a power of ten that is no less
// than a step.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(max(least, 1e-9))))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= least {
			return times * power
		}
	}
	return 10 * power
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
