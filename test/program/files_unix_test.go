// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// handed gives a command the descriptors 3 to 9: the end of a pipe, and a locked file.
type handed struct {
	t     *testing.T
	read  *os.File
	path  string
	extra []*os.File
}

func handFiles(t *testing.T) *handed {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.CreateTemp(t.TempDir(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	return &handed{t, read, lock.Name(), []*os.File{write, write, write, write, write, write, lock}}
}

// prepare is for [home.prepare].
func (f *handed) prepare(cmd *exec.Cmd) { cmd.ExtraFiles = f.extra }

// free checks that what the commands were handed is held by none of them.
func (f *handed) free() {
	f.t.Helper()
	_, _ = f.extra[0].Close(), f.extra[len(f.extra)-1].Close()
	_ = f.read.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := f.read.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		f.t.Errorf("the pipe: %d bytes, %v; want its end", n, err)
	}
	again, err := os.Open(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if err := syscall.Flock(int(again.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.t.Errorf("the lock is held: %v", err)
	}
}

// TestFilesOfCaller: what a command's caller has open is the daemon's no longer than
// the command's.
func TestFilesOfCaller(t *testing.T) {
	for _, command := range [][]string{{"service", "start"}, {"ctl", "get", "namespaces"}} {
		t.Run(command[0], func(t *testing.T) {
			h, files := newHome(t), handFiles(t)
			h.ok("service", "create")
			h.prepare = files.prepare
			h.ok(command...)
			h.prepare = nil
			if !h.status().Started {
				t.Fatal("no daemon runs")
			}
			files.free()
		})
	}
}

// TestFilesOfForeground: what a daemon in the foreground was started with is its own,
// and not that of the virtual machines, which outlive it.
func TestFilesOfForeground(t *testing.T) {
	h, _, _ := newLimaHome(t)
	files := handFiles(t)
	h.prepare = files.prepare
	cmd := h.serving(filepath.Join(programs, "rdd"), "service", "serve", "--controllers", "lima")
	h.prepare = nil
	c, vm := h.client(), newLimaVM("default", "rd", "source")
	for _, object := range []ctrlclient.Object{newTemplate("default", "source", limaTemplate), vm} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	h.waitVM(c, vm, limav1alpha1.ReasonStarted)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	files.free()
}
