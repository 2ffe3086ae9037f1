// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestWait: the end of a process is reported immediately; the end of the wait, or of
// another process with the PID, is not taken for it.
func TestWait(t *testing.T) {
	child := exec.CommandContext(t.Context(), "sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	id, err := Identify(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if began, err := Began(id.PID); err != nil || time.Since(began).Abs() > 20*time.Second {
		t.Errorf("it began %s, %v", began, err)
	}
	over, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := id.Wait(over); !errors.Is(err, context.DeadlineExceeded) || !id.Alive() {
		t.Errorf("while it lives: %v", err)
	}
	other := ID{PID: id.PID, Birth: "long ago"}
	if err := other.Wait(t.Context()); err != nil || other.Alive() || other.Kill() != nil || !id.Alive() {
		t.Errorf("another process of the number: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- id.Wait(t.Context()) }()
	if err := id.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil || id.Alive() {
			t.Errorf("when it has ended: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("its end is not reported")
	}
	if (ID{}).Alive() || (ID{PID: os.Getpid()}).Alive() {
		t.Error("nothing is alive")
	}
}
