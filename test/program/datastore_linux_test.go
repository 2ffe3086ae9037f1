// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/etcd"
)

// TestDatastoreEtcd: an instance keeps its objects in an etcd, whose endpoint is
// saved, and takes them along when it goes.
func TestDatastoreEtcd(t *testing.T) {
	t.Parallel()
	server := etcd.Start(t)
	h := newHome(t)
	h.ok("service", "create", "--controllers", "app", "--datastore-endpoint", server)
	h.ok("service", "start")
	h.ok("ctl", "create", "configmap", "kept", "-n", "default")
	h.ok("service", "stop")
	h.ok("ctl", "get", "configmap", "kept", "-n", "default")
	if _, err := os.Stat(filepath.Join(h.path("dir"), "store.db")); err == nil {
		t.Error("there is a store of the instance's own")
	}
	h.ok("service", "reset", "--yes")
	h.fails(1, []string{"not found"}, "ctl", "get", "configmap", "kept", "-n", "default")
	h.ok("service", "delete")

	c, err := clientv3.New(clientv3.Config{Endpoints: []string{server}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if left, err := c.Get(t.Context(), "/rancher-desktop-", clientv3.WithPrefix(), clientv3.WithKeysOnly()); err != nil || left.Count != 0 {
		t.Errorf("the etcd has %v, %v", left, err)
	}
}

// TestDatastoreProcess: a database is reached by a process that ends with the
// daemon, also where that is killed, and whose end is the daemon's.
func TestDatastoreProcess(t *testing.T) {
	t.Parallel()
	h := newHome(t, "RDD_DATASTORE_ENDPOINT=memory://")
	between := func() int { return onlyChild(t, h.pid()) }
	h.ok("service", "start", "--controllers", "")
	h.ok("ctl", "create", "configmap", "there", "-n", "default")
	child := between()
	h.kill()
	h.eventually("the process in between ends with the daemon", func() (bool, string) {
		return syscall.Kill(child, 0) != nil || zombie(child), fmt.Sprint(child)
	})
	h.ok("service", "start")
	if err := syscall.Kill(between(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.eventually("the daemon ends with the process in between", func() (bool, string) { return !h.alive(), "it lives" })
	if log := h.ok("service", "log"); !strings.Contains(log, "the datastore memory://…: rdd-datastore exited") {
		t.Errorf("the log: %s", log)
	}
	h.ok("service", "delete")
}

// TestDatastoreRefused: an invalid endpoint is refused before there is an instance, and
// none of it is repeated, whichever way it was given.
func TestDatastoreRefused(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"no such scheme":   "oracle://u:hunt3r@h",
		"a percent sign":   "postgres://u:hunt3r%2@h/d",
		"a slash":          "postgres://u:12/hunt3r@h/d",
		"no URL for MySQL": "mysql://u:hunt3r@h:3306/d",
		"NATS":             "nats://u:hunt3r%zz@h",
		"etcd":             "https://u:hunt3r%zz@h:2379",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			refused := func(words []string, args ...string) {
				t.Helper()
				r := h.fails(2, words, args...)
				if strings.Contains(r.stderr+r.stdout, "hunt3r") {
					t.Errorf("the password is in %s", r.stderr)
				}
				if files := h.files(); len(files) > 1 { // that of the address
					t.Errorf("after %v there are %v", args, files)
				}
			}
			refused([]string{"the datastore's address"}, "service", "create", "--datastore-endpoint", address)
			file := filepath.Join(h.dir, "endpoint")
			if err := os.WriteFile(file, []byte(address+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			refused([]string{"the datastore's address"}, "service", "create", "--datastore-endpoint-file", file)
			h.env = append(h.env, "RDD_DATASTORE_ENDPOINT="+address)
			for _, args := range [][]string{
				{"service", "create"}, {"service", "start"}, {"service", "serve"}, {"--instance", "2", "ctl", "get", "namespaces"}, {"set", "running=false"},
			} {
				refused([]string{"RDD_DATASTORE_ENDPOINT"}, args...)
			}
			if r := h.runProgram(filepath.Join(programs, "rdd-datastore")); r.code != 2 || strings.Contains(r.stderr, "hunt3r") {
				t.Errorf("rdd-datastore: exit code %d, %s", r.code, r.stderr)
			}
		})
	}
}

// TestDatastoreEndpointFile: the file is for one user's eyes, and a password on the
// command line is warned of.
func TestDatastoreEndpointFile(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	file := filepath.Join(h.dir, "endpoint")
	if err := os.WriteFile(file, []byte("postgres://u:hunt3r@127.0.0.1:1/d\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.fails(2, []string{file, "chmod 600"}, "service", "create", "--datastore-endpoint-file", file)
	h.fails(2, []string{"mutually exclusive"}, "service", "create", "--datastore-endpoint-file", file, "--datastore-endpoint", "http://h")
	h.fails(2, []string{"regular file"}, "service", "create", "--datastore-endpoint-file", h.dir)
	h.fails(2, []string{"no such file"}, "service", "create", "--datastore-endpoint-file", file+"x")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := h.ends(0, nil, "service", "create", "--datastore-endpoint-file", file); strings.Contains(r.stderr, "Warning") {
		t.Errorf("%s", r.stderr)
	}
	saved, err := os.ReadFile(h.path("args_file"))
	if err != nil || !strings.Contains(string(saved), "hunt3r") {
		t.Errorf("saved: %s, %v", saved, err)
	}
	newHome(t).succeeds([]string{"Warning", "all users", "--datastore-endpoint-file"}, "service", "create", "--datastore-endpoint", "postgres://u:hunt3r@127.0.0.1:1/d")
}

// TestDatastoreSavedBad: an earlier version saved an address that does not parse. No
// command repeats it, and the instance can be deleted.
func TestDatastoreSavedBad(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	args := `{"created":"2026-01-01T00:00:00Z","controllers":"*","datastore":{"endpoint":"postgres://u:hunt3r%2@h/d"}}`
	if err := os.WriteFile(h.path("args_file"), []byte(args), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := ""
	for code, commands := range map[int][][]string{
		0: {{"service", "status", "-o", "json"}, {"status"}},
		1: {{"service", "start"}, {"service", "serve"}, {"ctl", "get", "ns"}, {"service", "reset", "--yes"}},
	} {
		for _, command := range commands {
			r := h.ends(code, nil, command...)
			shown += r.stdout + r.stderr
		}
	}
	contains(t, shown, "the datastore's address postgres://… does not parse", "%25")
	shown += h.ok("service", "log")
	r := h.succeeds([]string{"keeping the datastore as it is"}, "service", "delete")
	if shown += r.stderr; strings.Contains(shown, "hunt3r") {
		t.Errorf("the password is in %s", shown)
	}
	if _, err := os.Stat(h.path("dir")); err == nil {
		t.Error("the instance is there")
	}
}

// TestDatastoreThatDoesNotAnswer: what a driver says of a failed connection has no
// password, wherever it is repeated.
func TestDatastoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://u:hunt3r%2523@127.0.0.1:1/d?sslmode=wrong",
		"postgres://u:hunt3r@127.0.0.1:1/d",
		"mysql://u:hunt3r@tcp(127.0.0.1:1)/d",
		"nats://hunt3r@127.0.0.1:1?noEmbed",
	} {
		t.Run(strings.SplitN(address, ":", 2)[0], func(t *testing.T) {
			t.Parallel()
			h := newHome(t, "RDD_DATASTORE_ENDPOINT="+address)
			r := h.run("service", "start", "--controllers", "", "--log-level", "debug", "--timeout", "10s")
			if r.code != 1 && r.code != 4 {
				t.Errorf("exit code %d", r.code)
			}
			shown := r.stdout + r.stderr + h.ok("service", "log") + h.ok("service", "status") + h.ok("status")
			if pid := h.pid(); pid != 0 {
				for _, process := range []int{pid, onlyChild(t, pid)} {
					data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", process))
					shown += string(data)
				}
			}
			if strings.Contains(shown, "hunt3r") {
				t.Errorf("the password is in %s", shown)
			}
		})
	}
}

// onlyChild returns the one process that a process has started.
func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, list := range lists {
		data, _ := os.ReadFile(list) // a thread may have ended
		children = append(children, strings.Fields(string(data))...)
	}
	var child int
	if len(children) != 1 {
		t.Fatalf("process %d has the children %v", parent, children)
	}
	_, _ = fmt.Sscan(children[0], &child)
	return child
}

// zombie reports whether a process has ended but its parent has not waited for it.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(data), ") Z ")
}
