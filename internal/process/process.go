// SPDX-License-Identifier: Apache-2.0

// Package process tells processes apart that are not children of this one, and
// waits for their end. The number of a process alone may be another's by now.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// pollInterval is the time between two looks at a process where the system does
// not tell of its end.
const pollInterval = time.Second

// ID is one process, now and for ever. The zero value is none.
type ID struct {
	PID int
	// Birth is what [Birth] says of the process.
	Birth string
}

// Identify returns the living process with the number, and an error where there
// is none.
func Identify(pid int) (ID, error) {
	birth, err := Birth(pid)
	return ID{PID: pid, Birth: birth}, err
}

// Alive reports whether the process has not ended.
func (id ID) Alive() bool {
	if id.PID == 0 {
		return false
	}
	birth, err := Birth(id.PID)
	return err == nil && birth == id.Birth
}

// Kill ends the process, if it lives, at once and by force. It does not wait.
func (id ID) Kill() error {
	if !id.Alive() {
		return nil
	}
	found, err := os.FindProcess(id.PID)
	if err != nil {
		return nil // it has ended since
	}
	defer func() { _ = found.Release() }()
	if err := found.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the process %d: %w", id.PID, err)
	}
	return nil
}

// poll looks at the process again and again until it has ended, or ctx has.
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
