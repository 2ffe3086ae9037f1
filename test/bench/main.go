// SPDX-License-Identifier: Apache-2.0

// Command bench is `make bench`: it measures bin/rdd as a user has it, with a
// simulated Docker engine and a real containerd, and prints the figures beside their budgets.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
)

// options are what a run measures, and how often.
type options struct {
	program string
	starts  int
	calls   int
	lives   int
	rest    time.Duration
	many    int
	beside  string
	json    string
	samples string
	profile string
	only    string
}

func main() {
	var o options
	var c comparison
	flag.StringVar(&o.program, "program", filepath.Join("bin", "rdd"), "the program to measure")
	flag.IntVar(&o.starts, "starts", 7, "cold and warm starts")
	flag.IntVar(&o.calls, "calls", 21, "calls of each command")
	flag.IntVar(&o.lives, "lives", 100, "containers that are created, started, stopped and removed one by one")
	flag.DurationVar(&o.rest, "rest", 30*time.Second, "how long to look at a daemon at rest")
	flag.IntVar(&o.many, "many", 10_000, "containers of the large engine; 0 leaves it out")
	flag.StringVar(&o.beside, "beside", "", "numbers of containers beside which an event's cost is measured, with commas (default 100,1000 and -many)")
	flag.StringVar(&o.json, "json", "", "write the figures to this file too")
	flag.StringVar(&o.samples, "samples", "", "write the figures to this file too, in the format of Go's benchmarks")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the daemon while single containers live to this directory, for each number of containers beside")
	flag.StringVar(&o.only, "only", "", "measure only the parts whose names match this regular expression: "+strings.Join(partNames(), ", "))
	compare := flag.Bool("compare", false, "measure the program of -base and that of the working tree in turns, and compare them")
	flag.StringVar(&c.base, "base", "", "with -compare: the commit")
	flag.IntVar(&c.runs, "runs", 5, "with -compare: how often each is measured")
	flag.StringVar(&c.ldflags, "ldflags", "", "with -compare: the linker's flags for both programs")
	flag.StringVar(&c.benchstat, "benchstat", "golang.org/x/perf/cmd/benchstat@latest", "with -compare: the package of benchstat")
	flag.StringVar(&c.out, "out", filepath.Join("bin", "bench-compare"), "with -compare: the directory for the samples")
	plot := flag.String("plot", "", "measure nothing, and plot the figures of this file, which -json wrote")
	plots := flag.String("plots", filepath.Join("docs", "design", "plots"), "with -plot: the directory for the plots")
	flag.Parse()
	logging.Capture(slog.New(slog.DiscardHandler), nil, func(reason string) { panic(reason) })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *plot != "":
		err = plotFile(*plot, *plots)
	case *compare:
		err = c.run(ctx, o)
	default:
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	program, err := filepath.Abs(o.program)
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("there is no program to measure: %w (build it with make build)", err)
	}
	o.program = program
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	r := &report{Machine: machine(), Commit: commit(ctx), Time: time.Now().UTC(), out: os.Stdout}
	fmt.Printf("%s, commit %s\n\n", r.Machine, r.Commit)
	for _, p := range chosen {
		if err := p.measure(ctx, o, r); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	r.print(os.Stdout)
	if o.samples != "" {
		if err := os.WriteFile(o.samples, []byte(header()+r.samples()), 0o644); err != nil {
			return err
		}
	}
	return r.write(o.json)
}

// part is something that is measured by itself.
type part struct {
	name    string
	measure func(context.Context, options, *report) error
}

func parts() []part {
	return []part{
		{"size", size}, {"starts", starts}, {"commands", commands}, {"rest", atRest},
		{"thousand", thousand}, {"large", large}, {"beside", beside}, {"fanout", fanout}, {"store", stored}, {"containerd", withContainerd},
	}
}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// choose returns the parts whose names match; none is an error.
func choose(only string) ([]part, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	chosen := slices.DeleteFunc(parts(), func(p part) bool { return !pattern.MatchString(p.name) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only: no part matches %q: there are %s", only, strings.Join(partNames(), ", "))
	}
	return chosen, nil
}

// machine describes what the figures were measured on.
func machine() string {
	model := ""
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = ", " + strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s/%s, %d processors%s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model, runtime.Version())
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	var missing *exec.Error
	if errors.As(err, &missing) || err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
