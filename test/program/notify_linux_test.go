// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// serviceManager is the socket at which a service manager listens.
type serviceManager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newServiceManager(t *testing.T, address string) *serviceManager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &serviceManager{t, conn}
}

// hears waits for a message with the assignment, and returns all assignments
// that came until then.
func (m *serviceManager) hears(assignment string) []string {
	m.t.Helper()
	_ = m.conn.SetReadDeadline(time.Now().Add(patience))
	var heard []string
	buffer := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buffer)
		if err != nil {
			m.t.Fatalf("no %s came: %v; but %q", assignment, err, heard)
		}
		heard = append(heard, strings.Split(strings.TrimSpace(string(buffer[:n])), "\n")...)
		if slices.Contains(heard, assignment) {
			return heard
		}
	}
}

// TestServiceManager: a service manager is notified once that the daemon is ready,
// when it is, and that it ends; `rdd service` understands a daemon that one runs,
// and a stop is an end without an error, which systemd does not mend by a restart.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]func(h *home) string{
		"path":     func(h *home) string { return filepath.Join(h.dir, "notify") },
		"abstract": func(h *home) string { return "@" + filepath.Base(h.dir) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := in(newHome(t))
			manager := newServiceManager(t, address)
			h := newHome(t, "NOTIFY_SOCKET="+address)
			daemon := h.spawn("rdd", "service", "serve")
			heard := manager.hears("READY=1")
			if !slices.Contains(heard, "STATUS=Waiting for controllers") || !h.status().Ready {
				t.Errorf("notified before the daemon is ready: %q", heard)
			}
			h.ok("service", "start")
			if pid := h.status().PID; pid != daemon.cmd.Process.Pid {
				t.Errorf("process %d is not what the service manager runs", pid)
			}
			h.ok("service", "stop")
			if code := daemon.wait(patience); code != 0 {
				t.Errorf("a stop is exit code %d", code)
			}
			if heard := manager.hears("STOPPING=1"); slices.Contains(heard, "READY=1") {
				t.Errorf("ready twice: %q", heard)
			}
		})
	}
}

// TestServiceManagerOfTheStarter: a daemon in the background does not speak to the
// service manager of the process that started it.
func TestServiceManagerOfTheStarter(t *testing.T) {
	t.Parallel()
	address := filepath.Join(newHome(t).dir, "notify")
	manager := newServiceManager(t, address)
	h := newHome(t, "NOTIFY_SOCKET="+address)
	h.ok("service", "start")
	h.ok("service", "stop")
	last, err := net.Dial("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = last.Close() }()
	if _, err := last.Write([]byte("LAST=1")); err != nil {
		t.Fatal(err)
	}
	if heard := manager.hears("LAST=1"); len(heard) != 1 {
		t.Errorf("the service manager heard %q", heard)
	}
}
