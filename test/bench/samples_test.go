// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSamples: the lines are those of Go's benchmarks, one for each process that
// was measured, and one for a distribution within a process.
func TestSamples(t *testing.T) {
	r := &report{out: io.Discard}
	r.runs("cold start to ready", time.Second, []time.Duration{2 * time.Second, time.Second}, 0, 0)
	calls := make([]time.Duration, 20) // enough for a p95, which is not each call's
	r.runs("rdd status", time.Second, calls, 0, 0)
	var seen []time.Duration
	for i := range 100 {
		seen = append(seen, time.Duration(i+1)*time.Millisecond)
	}
	r.times("containerd: create", time.Millisecond, seen, 0, 0)
	r.single("full sync of 10 containers", "s", 1.5, 0, 0)
	r.single("… CPU an object", "ms", 6, 0, 0)
	r.single("resident with 12 mirrors", "MB", 200, 0, 0)
	r.single("… CPU at rest", "% of a core", 0.25, 0, 0)
	r.single("writes for one life", "events", 6, 0, 0)
	r.Events = []eventCost{{Beside: 100, CPU: 5, Life: 6, Memory: 150, Seen: quantiles{4, 8, 9}}}
	want := `BenchmarkColdStartToReady 1 2e+09 ns/op
BenchmarkColdStartToReady 1 1e+09 ns/op
` + strings.Repeat("BenchmarkRddStatus 1 0 ns/op\n", len(calls)) + `BenchmarkContainerdCreate 1 5e+07 ns/op 9.5e+07 p95-ns/op
BenchmarkFullSyncOf10Containers 1 1.5e+09 ns/op
BenchmarkFullSyncOf10Containers/CPUAnObject 1 6e+06 ns/op
BenchmarkResidentWith12Mirrors 1 200 MB
BenchmarkResidentWith12Mirrors/CPUAtRest 1 0.25 %-cpu
BenchmarkWritesForOneLife 1 6 writes/life
BenchmarkAnEvent/beside=100 1 5e+06 cpu-ns/op
BenchmarkAnEvent/beside=100 1 6 writes/life
BenchmarkAnEvent/beside=100 1 150 MB
BenchmarkAnEvent/beside=100/Seen 1 4e+06 ns/op 8e+06 p95-ns/op
`
	if got := r.samples(); got != want {
		t.Errorf("samples:\n%s\nwant:\n%s", got, want)
	}
	form := regexp.MustCompile(`^Benchmark[A-Z0-9]\S* \d+( [0-9.e+-]+ \S+)+$`)
	for line := range strings.Lines(r.samples()) {
		if !form.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("%q is no line of a benchmark", line)
		}
	}
}
