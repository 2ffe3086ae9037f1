// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

// withoutRoot runs f as the user nobodyID if the test runs as root, on a thread that
// ends with it.
func withoutRoot(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	const nobodyID = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		for _, call := range [][]uintptr{
			{unix.SYS_SETGROUPS, 0, 0, 0},
			{unix.SYS_SETRESGID, nobodyID, nobodyID, nobodyID},
			{unix.SYS_SETRESUID, nobodyID, nobodyID, nobodyID},
		} {
			if _, _, err := unix.RawSyscall(call[0], call[1], call[2], call[3]); err != 0 {
				t.Errorf("give root's rights up: %v", err)
				return
			}
		}
		f()
	}()
	<-done
}

// whoami returns the names of the test's user and group.
func whoami(t *testing.T) (owner, group string) {
	t.Helper()
	u, err := user.Current()
	must(t, err)
	g, err := user.LookupGroupId(u.Gid)
	must(t, err)
	return u.Username, g.Name
}

func TestSocketsThatAreNotAllowed(t *testing.T) {
	p := newPlaces(t)
	path := filepath.Join(p.Root, "var/run/docker.sock")
	listen(t, path)
	owner, group := whoami(t)
	for mode, words := range map[fs.FileMode]string{
		0o060: "permission denied: only the group " + group + " has access: join",
		0o600: "permission denied: only " + owner + " has access",
	} {
		if os.Getuid() != 0 {
			mode &^= 0o600 // otherwise the owner would have access
		}
		must(t, os.Chmod(path, mode))
		var engines []rddv1alpha1.Engine
		withoutRoot(t, func() { engines = p.engines() })
		if len(engines) != 1 || engines[0].Accessible || !strings.Contains(engines[0].Message, words) {
			t.Errorf("mode %o: %+v, want %q", mode, engines, words)
		}
	}
}

func TestVirtualization(t *testing.T) {
	const kvm, none = rddv1alpha1.VirtualizationKVM, rddv1alpha1.VirtualizationNone
	owner, group := whoami(t)
	for name, c := range map[string]struct {
		make  func(t *testing.T, path string)
		kind  rddv1alpha1.VirtualizationType
		words string // empty: available
	}{
		"missing": {func(*testing.T, string) {}, none, "/dev/kvm does not exist"},
		"usable":  {device(0o606), kvm, ""},
		"for a group": {device(0o060), kvm,
			"/dev/kvm can't be opened: permission denied: only the group " + group + " has access: join the group"},
		"for its owner": {device(0o000), kvm, "/dev/kvm can't be opened: permission denied: only " + owner + " has access"},
		"to be read":    {device(0o404), kvm, "permission denied"},
		"no device":     {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o777)) }, kvm, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaces(t)
			c.make(t, filepath.Join(p.Root, "dev/kvm"))
			var got rddv1alpha1.Virtualization
			withoutRoot(t, func() { got = p.virtualization() })
			if got.Type != c.kind || got.Available != (c.words == "") || !strings.Contains(got.Reason, c.words) || got.Available && got.Reason != "" {
				t.Errorf("%+v, want %s, %q", got, c.kind, c.words)
			}
		})
	}
}

func device(mode fs.FileMode) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Chmod(path, mode))
	}
}

// TestMemory compares with another file of the kernel.
func TestMemory(t *testing.T) {
	total, err := memory()
	must(t, err)
	data, err := os.ReadFile("/proc/meminfo")
	must(t, err)
	want := parseMemTotal(t, string(data))
	if total != want {
		t.Errorf("memory: %d, want %d", total, want)
	}
}

func parseMemTotal(t *testing.T, meminfo string) int64 {
	t.Helper()
	var kib int64
	line, _, _ := strings.Cut(meminfo, "\n")
	_, err := fmt.Sscanf(line, "MemTotal: %d kB", &kib)
	must(t, err)
	return kib << 10
}
