// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"strings"
	"unicode"
)

// header begins a file of samples: what benchstat compares must have it in common
// (https://go.dev/design/14313-benchmark-format).
func header() string {
	return fmt.Sprintf("goos: %s\ngoarch: %s\npkg: rdd\n", runtime.GOOS, runtime.GOARCH)
}

// samples returns the figures as lines of Go's benchmarks: one for each process
// that a figure has samples of, else one.
func (r *report) samples() string {
	var lines strings.Builder
	above := ""
	for _, f := range r.Figures {
		name := f.Name
		if part, ok := strings.CutPrefix(name, "…"); ok {
			name = above + "/" + camel(part)
		} else {
			name = camel(name)
			above = name
		}
		for _, v := range f.processes {
			line(&lines, name, f.Unit, v, 0)
		}
		if len(f.processes) == 0 {
			line(&lines, name, f.Unit, float64(f.Value), f.P95)
		}
	}
	for _, e := range r.Events {
		name := fmt.Sprintf("AnEvent/beside=%d", e.Beside)
		line(&lines, name, "ms of CPU", float64(e.CPU), 0)
		line(&lines, name, "events", float64(e.Life), 0)
		line(&lines, name, "MB", float64(e.Memory), 0)
		line(&lines, name+"/Seen", "ms", float64(e.Seen.P50), e.Seen.P95)
	}
	return lines.String()
}

func line(lines *strings.Builder, name, unit string, v float64, p95 value) {
	unit, factor := benchUnit(unit)
	fmt.Fprintf(lines, "Benchmark%s 1 %g %s", name, v*factor, unit)
	if p95 > 0 {
		fmt.Fprintf(lines, " %g p95-%s", float64(p95)*factor, unit)
	}
	fmt.Fprintln(lines)
}

// benchUnit returns how a figure's unit is called in Go's benchmarks, and what
// its value is to be multiplied by. benchstat knows nanoseconds and megabytes.
func benchUnit(unit string) (name string, factor float64) {
	switch unit {
	case "s":
		return "ns/op", 1e9
	case "ms":
		return "ns/op", 1e6
	case "ms of CPU":
		return "cpu-ns/op", 1e6
	case "% of a core":
		return "%-cpu", 1
	case "events":
		return "writes/life", 1
	case "":
		return "times", 1
	}
	return strings.ReplaceAll(unit, " ", "-"), 1
}

// camel returns a figure's name as one that a benchmark can have.
func camel(name string) string {
	var out strings.Builder
	upper := true
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			upper = true
			continue
		}
		if upper {
			c = unicode.ToUpper(c)
		}
		upper = false
		out.WriteRune(c)
	}
	return out.String()
}
