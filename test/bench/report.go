// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// report is all that a run measured.
type report struct {
	Machine string    `json:"machine"`
	Commit  string    `json:"commit"`
	Time    time.Time `json:"time"`
	Figures []figure  `json:"figures"`
	// Events has the cost of an event beside more and more containers.
	Events []eventCost `json:"events"`

	out io.Writer // for each figure as it is measured
}

// eventCost is what one event of the engine costs beside a number of containers.
type eventCost struct {
	Beside int   `json:"beside"`
	CPU    value `json:"cpu"`    // ms of the daemon's
	Writes value `json:"writes"` // to the API server
	Life   value `json:"life"`   // writes from a container's creation to its removal
	Memory value `json:"memory"` // MB resident, at rest after the lives
	// Seen has how long after the engine's answer to a create, a start or a
	// removal it is seen, in ms.
	Seen quantiles `json:"seen"`
}

// quantiles are a distribution's.
type quantiles struct {
	P50 value `json:"p50"`
	P95 value `json:"p95"`
	P99 value `json:"p99"`
}

// figure is something measured, in its unit. Less is better for all of them.
type figure struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Value value  `json:"value"`
	// P95 and P99 are given where the value is the median of a distribution.
	P95 value `json:"p95,omitempty"`
	P99 value `json:"p99,omitempty"`
	// Must and Goal are the budget, where there is one.
	Must value `json:"must,omitempty"`
	Goal value `json:"goal,omitempty"`

	// processes has the samples, in the figure's unit, where each is of a
	// process of its own: only those may be taken for independent of each other.
	processes []float64
}

type value float64

func (v value) String() string {
	switch a := math.Abs(float64(v)); {
	case a == 0:
		return "0"
	case a >= 100:
		return strconv.FormatFloat(float64(v), 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(float64(v), 'f', 1, 64)
	default:
		return strconv.FormatFloat(float64(v), 'f', 2, 64)
	}
}

// orDash is how a budget or percentile reads that is not given.
func (v value) orDash() string {
	if v == 0 {
		return "-"
	}
	return v.String()
}

// verdict says how the figure stands to its budget.
func (f figure) verdict() string {
	switch {
	case f.Must == 0:
		return ""
	case f.Value <= f.Goal:
		return "goal"
	case f.Value <= f.Must:
		return "within"
	default:
		return fmt.Sprintf("MISSED by %.0f %%", 100*(float64(f.Value)/float64(f.Must)-1))
	}
}

func (r *report) add(f figure) {
	r.Figures = append(r.Figures, f)
	_, _ = fmt.Fprintf(r.out, "%s: %s %s\n", f.Name, f.Value, f.Unit)
}

// single adds a figure without a distribution.
func (r *report) single(name, unit string, v float64, must, goal value) {
	r.add(figure{Name: name, Unit: unit, Value: value(v), Must: must, Goal: goal})
}

// times adds the median and the tail of durations.
func (r *report) times(name string, unit time.Duration, samples []time.Duration, must, goal value) {
	r.add(distribution(name, unit, samples, must, goal))
}

// runs is times for durations of which each is of a process of its own.
func (r *report) runs(name string, unit time.Duration, samples []time.Duration, must, goal value) {
	f := distribution(name, unit, samples, must, goal)
	for _, sample := range samples {
		f.processes = append(f.processes, float64(sample)/float64(unit))
	}
	r.add(f)
}

func distribution(name string, unit time.Duration, samples []time.Duration, must, goal value) figure {
	names := map[time.Duration]string{time.Second: "s", time.Millisecond: "ms"}
	in := func(p float64) value { return value(float64(percentile(samples, p)) / float64(unit)) }
	f := figure{Name: name, Unit: names[unit], Value: in(0.5), Must: must, Goal: goal}
	if len(samples) >= 20 {
		f.P95 = in(0.95)
	}
	if len(samples) >= 100 {
		f.P99 = in(0.99)
	}
	return f
}

// percentile is the smallest sample that the share p of all does not exceed.
func percentile(samples []time.Duration, p float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

func (r *report) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.TabIndent)
	_, _ = fmt.Fprintln(table, "\nmeasured\tunit\tmedian\tp95\tp99\tmust\tgoal\t\t")
	for _, f := range r.Figures {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", f.Name, f.Unit, f.Value, f.P95.orDash(), f.P99.orDash(),
			f.Must.orDash(), f.Goal.orDash(), f.verdict())
	}
	_ = table.Flush()
	r.printEvents(w)
}

// printEvents prints the cost of events, and how it stands to that beside the
// fewest containers: the goal is at most 20 % more.
func (r *report) printEvents(w io.Writer) {
	if len(r.Events) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.TabIndent)
	_, _ = fmt.Fprintln(table, "\nan event beside\tms of CPU\tratio\twrites\tratio\twrites of a life\tseen p50, ms\tp95\tp99\tMB resident\t\t")
	for _, e := range r.Events {
		first := r.Events[0]
		cpu, writes := e.CPU/first.CPU, e.Writes/first.Writes
		verdict := "flat"
		if max(cpu, writes) > 1.2 {
			verdict = "NOT FLAT"
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", e.Beside, e.CPU, cpu, e.Writes, writes, e.Life,
			e.Seen.P50, e.Seen.P95, e.Seen.P99, e.Memory, verdict)
	}
	_ = table.Flush()
}

// write writes the report to a file, where one is named, and says so.
func (r *report) write(file string) error {
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Printf("\nthe figures are in %s too\n", file)
	return nil
}
