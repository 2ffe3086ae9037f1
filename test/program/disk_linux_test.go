// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount mounts a file system in memory for the length of a test.
func mount(t *testing.T, path string, flags uintptr, options string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a file system is to be mounted, which only root can do: run the tests as root")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", flags, options); err != nil {
		t.Fatalf("mount %s: %v", path, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", path, err)
		}
	})
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	mount(t, data, syscall.MS_RDONLY, "")
	h := newHome(t, "XDG_DATA_HOME="+data)
	for _, command := range []string{"create", "start", "serve"} {
		h.fails(1, []string{data, "read-only"}, "service", command)
	}
	h.fails(1, []string{data, "read-only"}, "--instance", "2", "ctl", "get", "ns")
	if status := h.status(); status.Created || status.Started {
		t.Errorf("status %+v", status)
	}
}

// TestFullDisk: writes fail while the disk is full, nothing is lost, and they
// work again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	mount(t, data, 0, "size=16m")
	h := newHome(t, "XDG_DATA_HOME="+data)
	h.ok("service", "start")
	h.ok("ctl", "create", "configmap", "kept", "-n", "default")
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)
	failed := false
	for i := range 200 {
		r := h.run("ctl", "create", "configmap", fmt.Sprint("big-", i), "-n", "default", "--from-literal=x="+strings.Repeat("x", 100_000))
		if r.code != 0 {
			failed = true
			break
		}
	}
	if !failed {
		t.Fatal("the disk never filled: nothing is tested")
	}
	h.ok("ctl", "get", "configmap", "kept", "-n", "default") // reads go on
	contains(t, h.ok("status"), "no space left on "+data, "RDD needs about")
	if !h.status().Ready {
		t.Error("the daemon is not ready any more")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	h.eventually("writes work again", func() (bool, string) {
		r := h.run("ctl", "create", "configmap", "after", "-n", "default")
		return r.code == 0, r.stderr
	})
	h.ok("service", "stop")
	h.ok("service", "start")
	h.ok("ctl", "get", "configmap", "kept", "after", "-n", "default")
}

// TestFullDiskAtStart: there is not room for a beginning.
func TestFullDiskAtStart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	mount(t, data, 0, "size=1m")
	h := newHome(t, "XDG_DATA_HOME="+data)
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)
	h.fails(1, []string{"no space left on " + data, "needs about"}, "service", "start")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
}

// TestLittleRoomAtStart: wherever the room ends, for the keys, the store, its log or
// what the controllers write, the error names the full directory.
func TestLittleRoomAtStart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	mount(t, data, 0, "size=16m")
	ballast := filepath.Join(data, "ballast")
	room := func(kib int64) {
		t.Helper()
		if err := os.WriteFile(ballast, make([]byte, 16<<20-kib<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, kib := range []int64{4, 16, 40, 100, 150, 200, 300, 400, 500, 600} {
		h := newHome(t, "XDG_DATA_HOME="+data)
		room(kib)
		r := h.run("service", "start")
		if r.code == 0 {
			t.Logf("%d KiB are enough", kib)
		} else if r.code != 1 || !strings.Contains(r.stderr, "no space left on "+data) || strings.Contains(r.stderr, "deadline") {
			t.Errorf("%d KiB: exit code %d, %s", kib, r.code, r.stderr)
		}
		h.kill()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		h.ok("service", "delete")
	}
}

// fill writes a file until there is no room for more.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for block := make([]byte, 4096); ; {
		if _, err := file.Write(block); err != nil {
			return
		}
	}
}
