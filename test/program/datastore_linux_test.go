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
	if log := h.ok("service", "log"); !strings.Contains(log, "the datastore memory://…: rdd-datastore ended") {
		t.Errorf("the log: %s", log)
	}
	h.ok("service", "delete")
}

// TestDatastoreRefused: what is no endpoint is refused before there is an instance.
func TestDatastoreRefused(t *testing.T) {
	t.Parallel()
	h := newHome(t, "RDD_DATASTORE_ENDPOINT=oracle://u:secret@h")
	for _, args := range [][]string{{"service", "create"}, {"service", "start"}, {"--instance", "2", "ctl", "get", "namespaces"}} {
		if r := h.fails(2, []string{"SCHEME://ADDRESS", "postgres"}, args...); strings.Contains(r.stderr, "secret") {
			t.Errorf("the password is in %s", r.stderr)
		}
	}
	if _, err := os.Stat(h.path("dir")); err == nil {
		t.Error("there is an instance")
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

// zombie reports whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(data), ") Z ")
}
