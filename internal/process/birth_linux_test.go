// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"os/exec"
	"testing"
	"time"
)

// TestEndedProcessHasNoBirth: an ended process does not count as alive if its parent,
// such as the first process in a container, never waits for it.
func TestEndedProcessHasNoBirth(t *testing.T) {
	child := exec.CommandContext(t.Context(), "sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	if birth, err := Birth(child.Process.Pid); err != nil || birth == "" {
		t.Errorf("a process that lives: %q, %v", birth, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		_, err := Birth(child.Process.Pid)
		if errors.Is(err, errEnded) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a process that has ended: %v", err)
		}
	}
}
