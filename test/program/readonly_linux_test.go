// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// mountReadOnly makes a directory read-only until the test ends.
func mountReadOnly(t *testing.T, dir string) (writable func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	mounted := true
	writable = func() {
		if mounted {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
		mounted = false
	}
	t.Cleanup(writable)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return writable
}

// TestReadOnlyDisk: commands that only read work on a disk that became read-only, and report
// that; commands that write report why they can't.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	if found := fmt.Sprint(h.findings()); strings.Contains(found, "disk-read-only") {
		t.Fatalf("on a disk that can be written: %s", found)
	}
	if err := os.Chmod(h.path("dir"), 0o755); err != nil {
		t.Fatal(err) // which can't be put right there
	}
	writable := mountReadOnly(t, h.dir)
	contains(t, h.ok("status"), "stopped", "read-only", h.path("dir"))
	if found := fmt.Sprint(h.findings()); !strings.Contains(found, "disk-read-only") {
		t.Errorf("the findings are %s", found)
	}
	if s := h.status(); !s.Created || s.Started {
		t.Errorf("the service: %+v", s)
	}
	for _, command := range [][]string{{"service", "paths"}, {"service", "stop"}} {
		h.ok(command...)
	}
	for _, command := range [][]string{{"start"}, {"service", "start"}, {"service", "delete"}} {
		h.fails(1, []string{"read-only file system"}, command...)
	}
	writable()

	h.ok("service", "start")
	writable = mountReadOnly(t, h.dir)
	contains(t, h.ok("status"), "read-only")
	if s := h.status(); !s.Created || !s.Ready {
		t.Errorf("the service that runs: %+v", s)
	}
	h.ok("ctl", "get", "namespaces")
	writable()
	if found := fmt.Sprint(h.findings()); strings.Contains(found, "disk-read-only") {
		t.Errorf("afterwards: %s", found)
	}
}
