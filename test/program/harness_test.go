// SPDX-License-Identifier: Apache-2.0

// Package program_test runs the built program as its users do.
package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
)

const (
	// patience is how long anything may take that must come true.
	patience = 2 * time.Minute

	namespace = "rancher-desktop"
)

// programs is the directory of what was built for the tests.
var programs string

func TestMain(m *testing.M) {
	logging.Capture(slog.New(slog.DiscardHandler), nil, func(reason string) { panic(reason) })
	// In the background of a script an interrupt is ignored, and so it would be by
	// the programs that are interrupted here.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "rdd-test-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		build := makeInto(context.Background(), dir, "build")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "the programs could not be built:", err)
			return 1
		}
		return m.Run()
	}())
}

// makeInto is the command that makes a target, with its programs in a directory.
func makeInto(ctx context.Context, dir, target string) *exec.Cmd {
	args := []string{"-C", "../..", target, "BIN=" + dir}
	if raceEnabled {
		args = append(args, "RACE=-race", "CGO_ENABLED=1")
	}
	return exec.CommandContext(ctx, "make", args...)
}

// home is a user's home directory with an instance of its own.
type home struct {
	t   *testing.T
	dir string
	// name is the instance's, which no other test has at the same time, nor the
	// port that follows from it.
	name string
	env  []string
	// prepare changes a command before it runs; nil for nothing.
	prepare func(*exec.Cmd)
}

// newHome makes a home directory that leaves nothing behind: whatever daemon
// runs in it ends with the test.
func newHome(t *testing.T, env ...string) *home {
	t.Helper()
	dir, err := os.MkdirTemp("", "rdd-h-") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, dir: dir, name: takeName(t)}
	for _, variable := range []string{"PATH", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(variable); ok {
			h.env = append(h.env, variable+"="+value)
		}
	}
	h.env = append(h.env, "HOME="+dir, "DOCKER_CONFIG="+filepath.Join(dir, ".docker"), "RDD_INSTANCE="+h.name,
		"GORACE=exitcode=66 halt_on_error=0 atexit_sleep_ms=0")
	h.env = append(h.env, env...)
	t.Cleanup(h.cleanup)
	return h
}

// in is the same home for a subtest, which fails by itself.
func (h *home) in(t *testing.T) *home {
	other := *h
	other.t = t
	return &other
}

func (h *home) cleanup() {
	if log, err := os.ReadFile(h.instance().StderrLog()); err == nil {
		if strings.Contains(string(log), "DATA RACE") {
			h.t.Errorf("the daemon has a data race:\n%s", log)
		}
		if h.t.Failed() {
			h.t.Logf("the daemon's log:\n%s", log[max(0, len(log)-8000):])
		}
	}
	h.kill()
	// What ends by that may write a last file.
	h.eventually("the home directory is removed", func() (bool, string) {
		err := os.RemoveAll(h.dir)
		return err == nil, fmt.Sprint(err)
	})
}

// instance returns the instance, as the commands see it. To start one for what
// its files say would take most of the time of many tests.
func (h *home) instance() *instance.Instance {
	h.t.Helper()
	inst, err := instance.In(h.name, h.dir, func(variable string) string {
		for _, assignment := range slices.Backward(h.env) {
			if value, ok := strings.CutPrefix(assignment, variable+"="); ok {
				return value
			}
		}
		return ""
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return inst
}

// daemon returns the state of the running daemon, or nil if none runs.
func (h *home) daemon() *instance.Daemon {
	h.t.Helper()
	daemon, err := h.instance().Daemon()
	if err != nil {
		h.t.Fatal(err)
	}
	return daemon
}

// kill ends the daemon with SIGKILL, and waits for its end.
func (h *home) kill() {
	h.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		daemon := h.daemon()
		if daemon == nil {
			return
		}
		// A daemon that has just started has not written its process ID yet.
		if process, err := os.FindProcess(daemon.PID); err == nil && daemon.PID != 0 {
			_ = process.Kill()
		}
		if time.Now().After(deadline) {
			h.t.Errorf("process %d does not end", daemon.PID)
			return
		}
	}
}

// alive reports whether a daemon lives.
func (h *home) alive() bool { return h.daemon() != nil }

// ready reports whether the daemon is ready.
func (h *home) ready() bool {
	daemon := h.daemon()
	return daemon != nil && daemon.Ready
}

// pid returns the daemon's process ID, or 0 if none runs.
func (h *home) pid() int {
	if daemon := h.daemon(); daemon != nil {
		return daemon.PID
	}
	return 0
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

// run runs rdd.
func (h *home) run(args ...string) result {
	h.t.Helper()
	return h.runProgram(filepath.Join(programs, "rdd"), args...)
}

func (h *home) runProgram(program string, args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := h.command(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("%s %v: %v", program, args, err)
	}
	return result{stdout.String(), withoutRaceNotice(stderr.String()), cmd.ProcessState.ExitCode()}
}

// withoutRaceNotice removes the line that Kubernetes prints in programs that are built
// with the race detector.
func withoutRaceNotice(stderr string) string {
	if !raceEnabled {
		return stderr
	}
	var kept strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasSuffix(strings.TrimSpace(line), "Data race detection enabled") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func (h *home) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = h.env
	cmd.Dir = h.dir
	cmd.WaitDelay = time.Second
	if h.prepare != nil {
		h.prepare(cmd)
	}
	return cmd
}

// ok runs rdd, which must succeed, and returns its standard output.
func (h *home) ok(args ...string) string {
	h.t.Helper()
	r := h.run(args...)
	if r.code != 0 {
		h.t.Fatalf("rdd %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// succeeds runs rdd, which must succeed and say all the words on standard error.
func (h *home) succeeds(words []string, args ...string) result {
	h.t.Helper()
	return h.ends(0, words, args...)
}

// fails runs rdd, which must fail with the exit code and say all the words.
func (h *home) fails(code int, words []string, args ...string) result {
	h.t.Helper()
	if code == 0 {
		h.t.Fatal("0 is no failure")
	}
	return h.ends(code, words, args...)
}

func (h *home) ends(code int, words []string, args ...string) result {
	h.t.Helper()
	r := h.run(args...)
	if r.code != code {
		h.t.Errorf("rdd %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			h.t.Errorf("rdd %s: standard error does not say %q:\n%s", strings.Join(args, " "), word, r.stderr)
		}
	}
	return r
}

// path returns one of the instance's paths, by the key that `rdd service paths`
// has for it.
func (h *home) path(key string) string {
	h.t.Helper()
	for _, path := range h.instance().Paths() {
		if path.Key == key {
			return path.Value
		}
	}
	h.t.Fatalf("an instance has no path %s", key)
	return ""
}

// serviceStatus is the part of `service status -o json` that tests read.
type serviceStatus struct {
	Created     bool
	Started     bool
	PID         int
	Ready       bool
	Version     string
	Address     string
	Controllers string
	Uptime      float64
	Memory      int64
}

func (h *home) status() serviceStatus {
	h.t.Helper()
	var status serviceStatus
	if err := json.Unmarshal([]byte(h.ok("service", "status", "-o", "json")), &status); err != nil {
		h.t.Fatal(err)
	}
	return status
}

// config returns the configuration of a client of the daemon, which must be
// ready.
func (h *home) config() *rest.Config {
	h.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", h.path("config"))
	if err != nil {
		h.t.Fatal(err)
	}
	config.QPS = -1
	return config
}

func (h *home) client() ctrlclient.WithWatch {
	h.t.Helper()
	c, err := client.New(h.path("config"))
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// eventually waits until a condition holds.
func (h *home) eventually(what string, condition func() (bool, string)) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		holds, state := condition()
		if holds {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("never: %s; last: %s", what, state)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// files returns everything in the home directory.
func (h *home) files() []string {
	h.t.Helper()
	var files []string
	err := filepath.WalkDir(h.dir, func(path string, _ os.DirEntry, err error) error {
		if path != h.dir {
			files = append(files, strings.TrimPrefix(path, h.dir))
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return files
}

// get makes a request to the API server's port as curl would.
func (h *home) get(path string) (int, error) {
	config := rest.CopyConfig(h.config())
	transport, err := rest.TransportFor(config)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, config.Host+path, nil)
	if err != nil {
		return 0, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in:\n%s", word, text)
		}
	}
}

// startWith starts the daemon. If place is "external", the daemon leaves controllers
// out, and a program runs them; startWith waits for the named one of the group.
func (h *home) startWith(place, program, leftOut, group, controller string) *process {
	h.t.Helper()
	if place == "daemon" {
		h.ok("service", "start")
		return nil
	}
	h.ok("service", "start", "--controllers", "*,-"+leftOut)
	external := h.spawn(program)
	h.runs(group, controller)
	return external
}
