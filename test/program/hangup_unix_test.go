// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// serving starts a daemon in the foreground and waits until it is ready.
func (h *home) serving(program string, args ...string) *exec.Cmd {
	h.t.Helper()
	cmd := h.command(h.t.Context(), program, args...)
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.eventually("the daemon is ready", func() (bool, string) { return h.ready(), "" })
	return cmd
}

// TestHangup: a daemon in the foreground ends well when its terminal is closed, and
// lives on where it was started to (nohup).
func TestHangup(t *testing.T) {
	t.Parallel()
	// What the tests were started with (nohup) is no matter: a program that another
	// starts ignores what that one does, and has the default of what that one handles.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangup) })

	h := newHome(t)
	rdd := filepath.Join(programs, "rdd")
	cmd := h.serving(rdd, "service", "serve")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGHUP: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.path("dir"), "store.db-wal")); !os.IsNotExist(err) {
		t.Errorf("the store was not closed: %v", err)
	}

	cmd = h.serving("/bin/sh", "-c", `trap "" HUP; exec "$0" service serve`, rdd)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	h.ok("ctl", "get", "namespaces") // time for the signal
	if status := h.status(); status.PID != cmd.Process.Pid {
		t.Errorf("the daemon is %+v, and not process %d", status, cmd.Process.Pid)
	}
	h.ok("service", "stop")
	if err := cmd.Wait(); err != nil {
		t.Errorf("after the stop: %v", err)
	}
}
