// SPDX-License-Identifier: Apache-2.0

// Command bench is `make bench`: it measures bin/rdd as a user has it, with a
// simulated Docker engine and a real containerd, and prints the figures beside their budgets.
package main

import (
	"context"
	"encoding/json"
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
	"strings"
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
	json    string
	profile string
	only    string
}

func main() {
	var o options
	flag.StringVar(&o.program, "program", filepath.Join("bin", "rdd"), "the program to measure")
	flag.IntVar(&o.starts, "starts", 7, "cold and warm starts")
	flag.IntVar(&o.calls, "calls", 21, "calls of each command")
	flag.IntVar(&o.lives, "lives", 100, "containers that are created, started, stopped and removed one by one")
	flag.DurationVar(&o.rest, "rest", 30*time.Second, "how long to look at a daemon at rest")
	flag.IntVar(&o.many, "many", 10_000, "containers of the large engine; 0 leaves it out")
	flag.StringVar(&o.json, "json", "", "write the figures to this file too")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the daemon while single containers live to this directory, for each number of containers beside")
	flag.StringVar(&o.only, "only", "", "measure only the parts whose names match this regular expression")
	flag.Parse()
	logging.Capture(slog.New(slog.DiscardHandler), func(reason string) { panic(reason) })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
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
	r := &report{Machine: machine(), Commit: commit(ctx), Time: time.Now().UTC()}
	fmt.Printf("%s, commit %s\n\n", r.Machine, r.Commit)
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context, options, *report) error
	}{
		{"size", size}, {"starts", starts}, {"commands", commands}, {"rest", atRest},
		{"thousand", thousand}, {"large", large}, {"beside", beside}, {"containerd", withContainerd},
	} {
		if !only.MatchString(part.name) {
			continue
		}
		if err := part.measure(ctx, o, r); err != nil {
			return err
		}
	}
	r.print(os.Stdout)
	if o.json == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(data, '\n'), 0o644)
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
