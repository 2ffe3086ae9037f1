// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the plots of testdata/bench.json anew")

// TestPlots: the plots of fixed figures are what they were, are whole XML, and
// have a point for each figure, higher where it is more.
func TestPlots(t *testing.T) {
	dir := t.TempDir()
	if *update {
		dir = "testdata"
	}
	if err := plotFile(filepath.Join("testdata", "bench.json"), dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"cpu.svg": 3, "latency.svg": 9, "memory.svg": 3} {
		got := read(t, filepath.Join(dir, name))
		if got != read(t, filepath.Join("testdata", name)) {
			t.Errorf("%s is another one than in testdata; look at it, and run go test ./test/bench -update", name)
		}
		if strings.Contains(got, "%!") || strings.Contains(got, "NaN") {
			t.Errorf("%s has a number that is none", name)
		}
		if points := elements(t, name, got)["circle"]; points != want {
			t.Errorf("%s has %d points, want %d", name, points, want)
		}
	}
}

// elements counts the elements of an XML document by name.
func elements(t *testing.T, name, document string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("%s is no XML: %v", name, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
		}
	}
}

func TestNothingToPlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	if err := os.WriteFile(file, []byte(`{"figures": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plotFile(file, t.TempDir()); err == nil || !strings.Contains(err.Error(), "beside") {
		t.Errorf("a plot of no events: %v; want an error that names the part to measure", err)
	}
}

func TestAxisSteps(t *testing.T) {
	for least, want := range map[float64]float64{0.9: 1, 1: 1, 1.3: 2, 3: 5, 6: 10, 124: 200, 0.003: 0.005} {
		if got := niceStep(least); got < want*0.999 || got > want*1.001 {
			t.Errorf("niceStep(%g) = %g, want %g", least, got, want)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
