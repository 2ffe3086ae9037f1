// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

// FailureKind is why a daemon ended.
type FailureKind string

// The kinds of failures.
const (
	// StoppedEarly: it was stopped before it was ready.
	StoppedEarly FailureKind = "StoppedEarly"
	// Failed: it could not start, or a part of it ended.
	Failed FailureKind = "Failed"
	// Crashed: its process ended without writing why, for example because it was killed.
	Crashed FailureKind = "Crashed"
)

// Failure is why a daemon ended, unless it was stopped while it was ready.
type Failure struct {
	Kind FailureKind `json:"kind"`
	// Message is one line.
	Message string `json:"message"`
	// ExitCode is the process's; 0 if it is not known.
	ExitCode int `json:"exitCode,omitempty"`
	// Time is when it was written; nil if it is not known.
	Time *time.Time `json:"time,omitempty"`
}

// Fail writes why the daemon ends. The calling process is the daemon and holds its lock.
func (i *Instance) Fail(failure Failure) error {
	d, err := i.readState()
	if err != nil || d == nil || !d.isProcess() || d.PID != os.Getpid() {
		d = &Daemon{} // it fails before it has described itself
	}
	now := time.Now().UTC()
	failure.Time = &now
	failure.Message = strings.ReplaceAll(failure.Message, "\n", "; ")
	d.Failure, d.Ready, d.Stopping = &failure, false, true
	return i.writeState(*d)
}

// Ended returns the description of the last daemon, if none runs; nil if one runs, or if
// there is no description.
func (i *Instance) Ended() (*Daemon, error) {
	if alive, err := i.Alive(); err != nil || alive {
		return nil, err
	}
	return i.readState()
}

// LastFailure returns why the last daemon ended, if none runs; nil if it was stopped.
func (i *Instance) LastFailure() (*Failure, error) {
	d, err := i.Ended()
	switch {
	case err != nil || d == nil:
		return nil, err
	case d.Failure != nil && d.Failure.Kind == StoppedEarly:
		return nil, nil
	case d.Failure != nil || d.Stopping:
		return d.Failure, nil
	}
	return &Failure{Kind: Crashed, Message: i.crashReason()}, nil
}

// crashReason returns why the daemon crashed, from the stack traces in its log.
func (i *Instance) crashReason() string {
	if reason := process.CrashReason(i.logTail()); reason != "" {
		return reason
	}
	return "its process was killed, or the machine was switched off"
}

// readState returns the description of the last daemon; nil if there is none.
func (i *Instance) readState() (*Daemon, error) {
	data, err := regular.Read(i.stateFile(), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := &Daemon{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fault.New(fault.Failed, "read", i.stateFile(), err)
	}
	return d, nil
}
