// SPDX-License-Identifier: Apache-2.0

// Package process identifies processes that are not children of this one, and waits for
// their end. A PID alone is not enough: another process may have it now.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// pollInterval is the interval between checks of a process if the system does not
// report its end.
const pollInterval = time.Second

// ID identifies one process permanently. The zero value is no process.
type ID struct {
	PID int
	// Birth is the [Birth] of the process.
	Birth string
}

// Identify returns the live process with the PID, and an error if there is none.
func Identify(pid int) (ID, error) {
	birth, err := Birth(pid)
	return ID{PID: pid, Birth: birth}, err
}

// Alive reports whether the process is running.
func (id ID) Alive() bool {
	if id.PID == 0 {
		return false
	}
	birth, err := Birth(id.PID)
	return err == nil && birth == id.Birth
}

// Kill kills the process if it is running. It does not wait.
func (id ID) Kill() error {
	if !id.Alive() {
		return nil
	}
	found, err := os.FindProcess(id.PID)
	if err != nil {
		return nil // it has ended in between
	}
	defer func() { _ = found.Release() }()
	if err := found.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the process %d: %w", id.PID, err)
	}
	return nil
}

// poll checks the process periodically until it has ended, or ctx has.
func (id ID) poll(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for id.Alive() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}
