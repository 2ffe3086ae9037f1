// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLastWord: a daemon that fails logs why before others can see its end, however
// slowly its log takes that.
func TestLastWord(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("service", "stop")
	dir := h.path("dir")
	state, pid := filepath.Join(dir, "daemon.json"), h.path("pid_file")
	if err := errors.Join(os.Remove(state), os.Truncate(filepath.Join(dir, "store.db"), 0)); err != nil {
		t.Fatal(err)
	}
	log, logEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	// No byte more goes into it until it is read.
	if err := logEnd.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for filler := bytes.Repeat([]byte("."), os.Getpagesize()); err == nil; {
		_, err = logEnd.Write(filler)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}

	// It has but one word to say: not of a port that is taken, say.
	cmd := h.command(t.Context(), filepath.Join(programs, "rdd"), "service", "serve", "--background", "--log-level", "error")
	cmd.Stderr = logEnd
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = logEnd.Close()
	h.eventually("the daemon only has to say why", func() (bool, string) {
		_, announced := os.Stat(state)
		_, retracted := os.Stat(pid)
		return announced == nil && os.IsNotExist(retracted), ""
	})
	if !h.alive() {
		t.Error("the daemon is seen to have ended, and has not said why")
	}
	said, err := io.ReadAll(log)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(bytes.TrimLeft(said, ".")), "Error: ", "damaged")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the daemon ended with %v", err)
	}
	if h.alive() {
		t.Error("the daemon that has ended is said to live")
	}
}
