// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStart: a command inherits only the files that it is given, and this process keeps
// its own to pass on.
func TestStart(t *testing.T) { //nolint:paralleltest // it has a descriptor that others would inherit
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	inherited, err := unix.Dup(int(write.Fd())) // inheritable, as a shell leaves it
	if err != nil {
		t.Fatal(err)
	}
	given, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "echo given >&3; exec sleep 60")
	cmd.ExtraFiles = []*os.File{given}
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if flags, err := unix.FcntlInt(uintptr(inherited), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("the descriptor has flags %d (%v), want none as before", flags, err)
	}
	_, _ = write.Close(), unix.Close(inherited)
	_ = read.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := read.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the pipe: %d bytes, %v; want its end, as nothing else has it open", n, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if text, _ := os.ReadFile(given.Name()); string(text) == "given\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the command did not get the file that it was given")
		}
	}
}
