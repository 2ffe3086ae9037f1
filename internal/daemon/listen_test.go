// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestLoopbackIsDown: the message is about the interface; a port in use is not a sign
// of it.
func TestLoopbackIsDown(t *testing.T) {
	bind := func(errno syscall.Errno) error {
		return &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", errno)}
	}
	if err := loopbackDown(bind(syscall.EADDRNOTAVAIL)); err == nil || !strings.Contains(err.Error(), "loopback interface is down") {
		t.Errorf("%v", err)
	}
	if err := loopbackDown(bind(syscall.EADDRINUSE)); err != nil {
		t.Errorf("%v", err)
	}
	taken, err := listen(t.Context(), 0, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	other, err := listen(t.Context(), taken.Addr().(*net.TCPAddr).Port, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()
}
