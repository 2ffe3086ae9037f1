// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func TestRefusedInstanceNames(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, name := range []string{"", "Upper", "a_b", "-a", "a-", "a/b", "..", strings.Repeat("x", 25)} {
		h.fails(2, []string{"invalid instance name"}, "--instance", name, "service", "start")
	}
	h.fails(2, []string{"invalid instance name"}, "--instance=A", "ctl", "get", "ns")
	// A variable that is empty by mistake doesn't mean the default instance.
	h.fails(2, []string{"invalid instance name"}, "--instance=", "ctl", "get", "ns")
	h.fails(2, []string{"invalid instance name"}, "ctl", "get", "ns", "--instance", "")
	h.succeeds([]string{"Instance " + h.name + " does not exist"}, "service", "stop")
	if files := h.files(); len(files) != 0 {
		t.Errorf("a refused name left files: %v", files)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, test := range []struct {
		words []string
		args  []string
	}{
		{[]string{"unknown command", "frobnicate"}, []string{"frobnicate"}},
		{[]string{"unknown command", "frobnicate"}, []string{"service", "frobnicate"}},
		{[]string{"unknown flag", "--frobnicate", "--help"}, []string{"service", "start", "--frobnicate"}},
		{[]string{"unexpected argument", "extra"}, []string{"service", "stop", "extra"}},
		{[]string{"--timeout", "90s"}, []string{"service", "stop", "--timeout", "soon"}},
		{[]string{"--timeout", "-1s"}, []string{"service", "stop", "--timeout", "-1s"}},
		{[]string{"--timeout", "-1s"}, []string{"set", "running=true", "--timeout", "-1s"}},
		{[]string{"--secure-port", "65535"}, []string{"service", "create", "--secure-port", "70000"}},
		{[]string{"--controllers", "nothing", "engine"}, []string{"service", "create", "--controllers", "nothing"}},
		{[]string{"--controllers", "engine", "container"}, []string{"service", "start", "--controllers", "engine"}},
		{[]string{"unknown output format", "json"}, []string{"service", "status", "-o", "xml"}},
		{[]string{"unknown path", "pid_file"}, []string{"service", "paths", "nothing"}},
		{[]string{"unknown output format", "shell"}, []string{"service", "paths", "-o", "xml"}},
	} {
		h.fails(2, test.words, test.args...)
	}
	if files := h.files(); len(files) != 0 {
		t.Errorf("wrong usage left files: %v", files)
	}
}

// TestLifecycle is the ordinary life of an instance.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.succeeds([]string{"not running"}, "service", "stop")
	h.succeeds([]string{"does not exist"}, "service", "delete")
	if status := h.status(); status.Created || status.Started {
		t.Errorf("before creation: %+v", status)
	}
	h.succeeds([]string{"Created instance"}, "service", "create", "--controllers", "containers")
	before := h.files()
	h.succeeds([]string{"already exists"}, "service", "create", "--controllers", "*")
	if after := h.files(); len(after) != len(before) {
		t.Errorf("a second create made files: %v, then %v", before, after)
	}
	h.succeeds([]string{"has been started"}, "service", "start")
	status := h.status()
	if !status.Created || !status.Started || !status.Ready || status.Controllers != "containers" || status.PID == 0 ||
		status.Version == "" || status.Memory == 0 || !strings.HasPrefix(status.Address, "127.0.0.1:") {
		t.Errorf("running: %+v", status)
	}
	h.succeeds([]string{"is already running"}, "service", "start")
	if again := h.status(); again.PID != status.PID {
		t.Errorf("a second start made another process: %d, then %d", status.PID, again.PID)
	}
	if got := h.ok("ctl", "get", "crd", "-o", "name"); strings.Contains(got, "apps.app.") || !strings.Contains(got, "containers.containers.") {
		t.Errorf("with the controllers %q there are %s", status.Controllers, got)
	}
	h.succeeds([]string{"has been stopped"}, "service", "stop")
	if status := h.status(); status.Started || !status.Created {
		t.Errorf("after a stop: %+v", status)
	}
	if _, err := os.Stat(h.path("pid_file")); !os.IsNotExist(err) {
		t.Errorf("the PID file after a stop: %v", err)
	}
	h.succeeds([]string{"has been started"}, "service", "start", "--controllers", "*") // for this run only
	if got := h.status().Controllers; got != "*" {
		t.Errorf("controllers of this run: %q", got)
	}
	h.succeeds([]string{"Deleted instance"}, "service", "delete")
	if files := h.files(); len(files) > 4 { // the parents of what was the instance's
		t.Errorf("files are left after a delete: %v", files)
	}
}

func TestKeepLogs(t *testing.T) {
	t.Parallel()
	h := newHome(t, "RDD_KEEP_LOGS=1")
	h.ok("service", "start")
	log := h.path("log_dir")
	h.ok("service", "delete")
	if _, err := os.Stat(filepath.Join(log, "rdd.stderr.log")); err != nil {
		t.Errorf("the log is not kept: %v", err)
	}
}

// TestStopDuringStart: the wait for a daemon that another command stops reports that,
// and not what a part said that was cut short.
func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	for range 3 {
		var starting result
		var wg sync.WaitGroup
		wg.Go(func() { starting = h.run("service", "start") })
		h.eventually("the daemon begins", func() (bool, string) { return h.alive(), "" })
		h.ok("service", "stop")
		wg.Wait()
		if starting.code == 0 {
			continue // it was faster
		}
		contains(t, starting.stderr, "Error: start the daemon of instance", "it was stopped before it was ready")
		if starting.code != 1 || strings.Contains(starting.stderr, "waiting for\n") {
			t.Errorf("exit code %d\n%s", starting.code, starting.stderr)
		}
	}
}

// TestTwoStartsAtOnce gives one daemon, and both succeed.
func TestTwoStartsAtOnce(t *testing.T) {
	t.Parallel()
	for range 3 {
		h := newHome(t)
		var wg sync.WaitGroup
		results := make([]result, 4)
		for i := range results {
			wg.Go(func() { results[i] = h.run("service", "start") })
		}
		wg.Wait()
		started := 0
		for _, r := range results {
			if r.code != 0 {
				t.Errorf("exit code %d: %s", r.code, r.stderr)
			}
			started += strings.Count(r.stderr, "has been started")
		}
		if started != 1 {
			t.Errorf("%d of 4 starts started a daemon", started)
		}
		h.ok("service", "delete")
	}
}

// TestServeTwice: the second daemon reports that one is running.
func TestServeTwice(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.fails(1, []string{"already running"}, "service", "serve")
	if !h.status().Ready {
		t.Error("the first daemon was disturbed")
	}
}

func TestStartAfterSIGKILL(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("ctl", "create", "configmap", "kept", "-n", "default")
	first := h.status()
	h.kill()
	if status := h.status(); status.Started {
		t.Errorf("a killed daemon is taken for alive: %+v", status)
	}
	h.ok("service", "start")
	if second := h.status(); second.PID == first.PID || !second.Ready || second.Address != first.Address {
		t.Errorf("after a SIGKILL: %+v, before it %+v", second, first)
	}
	h.ok("ctl", "get", "configmap", "kept", "-n", "default")
}

// TestSIGKILLDuringStart kills the daemon at many moments of its first start.
// The next start works with no hand on it.
func TestSIGKILLDuringStart(t *testing.T) {
	t.Parallel()
	step := 20 * time.Millisecond
	if raceEnabled {
		step = 200 * time.Millisecond
	}
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.ok("service", "start", "--wait=false")
			time.Sleep(time.Duration(i) * step) // the moment of the kill is what is tested
			h.kill()
			h.ok("service", "start")
		})
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := taken.Addr().(*net.TCPAddr).Port
	h := newHome(t)
	h.ok("service", "start", "--secure-port", fmt.Sprint(port))
	if got := h.status().Address; got == taken.Addr().String() {
		t.Errorf("the daemon claims the taken port: %s", got)
	}
	config, err := clientcmd.LoadFromFile(h.path("config"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		if want := "https://" + h.status().Address; cluster.Server != want {
			t.Errorf("the kubeconfig names %s, and the daemon listens on %s", cluster.Server, want)
		}
	}
	h.ok("ctl", "get", "ns")

	// Clients find it where they have found it before.
	before := h.status().Address
	h.kill()
	h.ok("service", "start", "--secure-port", fmt.Sprint(port))
	if after := h.status().Address; after != before {
		t.Errorf("after a restart it listens on %s, and before on %s", after, before)
	}
}

func TestSavedPort(t *testing.T) {
	t.Parallel()
	h, port := newHome(t), takePort(t)
	h.ok("service", "create", "--secure-port", fmt.Sprint(port))
	for range 2 {
		h.ok("service", "start")
		if got, want := h.status().Address, fmt.Sprintf("127.0.0.1:%d", port); got != want {
			t.Errorf("listens on %s, want %s", got, want)
		}
		h.ok("service", "stop")
	}
}

// TestDeadlineOfOneMillisecond: the daemon is killed, the command reports
// so, and nothing is removed.
func TestDeadlineOfOneMillisecond(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("ctl", "create", "configmap", "kept", "-n", "default")
	for _, command := range []string{"stop", "delete"} {
		h.fails(4, []string{"did not stop in time"}, "service", command, "--timeout", "1ms")
		if h.alive() {
			t.Errorf("%s: the daemon lives", command)
		}
		for _, key := range []string{"dir", "tls_dir", "args_file", "config"} {
			if _, err := os.Stat(h.path(key)); err != nil {
				t.Errorf("%s: %s is gone: %v", command, key, err)
			}
		}
		h.ok("service", "start")
		h.ok("ctl", "get", "configmap", "kept", "-n", "default")
	}
}

func TestStartDeadline(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.fails(4, []string{"`rdd service stop`"}, "service", "start", "--timeout", "30ms")
	h.ok("service", "start") // the daemon that was started goes on
}

func TestReset(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.succeeds([]string{"does not exist"}, "service", "reset")
	h.ok("service", "create", "--controllers", "containers")
	h.ok("service", "start")
	h.ok("ctl", "create", "configmap", "lost", "-n", "default")
	before := h.status()
	token := h.ok("service", "config")
	h.succeeds([]string{"empty store", "has been started"}, "service", "reset", "--yes")
	h.fails(1, []string{"not found"}, "ctl", "get", "configmap", "lost", "-n", "default")
	if after := h.status(); after.Controllers != before.Controllers || after.Address != before.Address {
		t.Errorf("the settings changed: %+v, then %+v", before, after)
	}
	if h.ok("service", "config") == token {
		t.Error("the token is the one from before")
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	keys := []string{"args_file", "config", "dir", "docker_socket", "lima_home", "log_dir", "pid_file", "short_dir", "tls_dir"}
	var paths map[string]string
	if err := json.Unmarshal([]byte(h.ok("service", "paths", "-o", "json")), &paths); err != nil {
		t.Fatal(err)
	}
	if len(paths) != len(keys) {
		t.Errorf("paths %v, want %v", paths, keys)
	}
	shell := h.ok("service", "paths", "-o", "shell")
	for _, key := range keys {
		if alone := strings.TrimSpace(h.ok("service", "paths", key)); alone != paths[key] || alone != h.path(key) {
			t.Errorf("%s is %q alone, %q among all, and the tests look at %q", key, alone, paths[key], h.path(key))
		}
		if line := fmt.Sprintf("export RDD_%s=%q\n", strings.ToUpper(key), paths[key]); !strings.Contains(shell, line) {
			t.Errorf("the shell's paths lack %s", line)
		}
	}
	script := exec.CommandContext(t.Context(), "sh", "-c", `eval "$1" && printf %s "$RDD_DIR"`, "sh", shell)
	if got, err := script.Output(); err != nil || string(got) != paths["dir"] {
		t.Errorf("a shell reads %q, %v", got, err)
	}
	if files := h.files(); len(files) != 0 {
		t.Errorf("paths made files: %v", files)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	h.fails(1, []string{"not exist yet"}, "service", "log")
	h.ok("service", "start", "--log-level", "info", "--log-format", "json")
	lines := strings.Split(strings.TrimSpace(h.ok("service", "log")), "\n")
	for _, line := range lines {
		var entry struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "" || entry.Msg == "" {
			t.Errorf("a line of the log is %q: %v", line, err)
		}
	}
	if got := strings.Split(strings.TrimSpace(h.ok("service", "log", "--tail", "2")), "\n"); len(got) != 2 || got[1] != lines[len(lines)-1] {
		t.Errorf("the last two lines are %q", got)
	}
	if got := h.ok("service", "log", "--tail", "0"); got != "" {
		t.Errorf("no lines are %q", got)
	}
	if got := h.ok("service", "log", "--stdout"); got != "" {
		t.Errorf("standard output has %q", got)
	}
	if strings.Contains(h.ok("service", "log"), readToken(t, h)) {
		t.Error("the token is in the log")
	}
}

func readToken(t *testing.T, h *home) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(h.path("config"))
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		if user.Token != "" {
			return user.Token
		}
	}
	t.Fatal("no token in the kubeconfig")
	return ""
}

// TestModes: secrets are the user's alone, and looser modes are put right.
func TestModes(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("service", "stop")
	loose := []string{h.path("dir"), h.path("tls_dir"), h.path("config"), filepath.Join(h.path("tls_dir"), "ca.key")}
	for _, path := range loose {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	h.ok("service", "start")
	for _, root := range []string{h.path("dir"), h.path("log_dir"), h.path("short_dir")} {
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err == nil && info.Mode().Type() != os.ModeSymlink && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %o", path, info.Mode().Perm())
			}
			return nil // where it failed, a temporary file is gone again
		})
		if err != nil {
			t.Error(err)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	// No secret is on a command line.
	token := readToken(t, h)
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", h.pid()))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(cmdline), token) {
		t.Error("the token is on the command line")
	}
}

// TestStopAtOnce: a daemon that is stopped while parts of it still begin ends as
// any other does, with a store that is whole by itself.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for range 10 {
		h.ok("service", "start")
		h.ok("service", "stop")
		if _, err := os.Stat(filepath.Join(h.path("dir"), "store.db-wal")); !os.IsNotExist(err) {
			t.Fatalf("the store was not closed: %v\n%s", err, h.log())
		}
	}
}
