// SPDX-License-Identifier: Apache-2.0

package service

import (
	"errors"
	"os"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service/autostart"
)

// Status is the state of an instance's daemon, as observed by another process.
type Status struct {
	Instance  string     `json:"instance"`
	Created   bool       `json:"created"`
	CreatedAt *time.Time `json:"createdAt,omitempty"`
	Started   bool       `json:"started"`
	StartedAt *time.Time `json:"startedAt,omitempty"`
	PID       int        `json:"pid"`
	Ready     bool       `json:"ready"`
	Waiting   string     `json:"waiting,omitempty"`
	Stopping  bool       `json:"stopping,omitempty"`
	// Failure is why the last daemon ended; nil while one runs, and if it was stopped.
	Failure     *instance.Failure `json:"failure,omitempty"`
	Version     string            `json:"version,omitempty"`
	Address     string            `json:"address,omitempty"`
	Controllers string            `json:"controllers"`
	// Uptime in seconds.
	Uptime float64 `json:"uptime"`
	// Memory is the resident size, in bytes; 0 if it is unknown.
	Memory int64 `json:"memory"`
	// Enabled is how the system starts the daemon; nil if it does not.
	Enabled *autostart.Enabled `json:"enabled,omitempty"`
}

// ReadStatus reads the daemon's files, and its process. It sends the daemon no request.
func ReadStatus(inst *instance.Instance) (*Status, error) {
	status := &Status{Instance: inst.Name()}
	settings, err := inst.LoadSettings()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return status, nil
	case err != nil:
		return nil, err
	}
	status.Created, status.CreatedAt, status.Controllers = true, &settings.Created, settings.Controllers
	status.Enabled = autostart.Read(inst)
	daemon, err := inst.Daemon()
	if err == nil && daemon == nil {
		status.Failure, err = inst.LastFailure()
	}
	if err != nil || daemon == nil {
		return status, err
	}
	status.Started, status.PID, status.Ready, status.Waiting = true, daemon.PID, daemon.Ready, daemon.Waiting
	status.Stopping = daemon.Stopping
	if daemon.PID != 0 {
		status.Version, status.Address, status.Controllers = daemon.Version, daemon.Address, daemon.Controllers
		status.StartedAt, status.Uptime = &daemon.Started, uptime(daemon, time.Now()).Seconds()
		status.Memory = Memory(daemon.PID)
	}
	return status, nil
}

// clockStep is a difference between the process's start and the recorded start that
// only a change of the clock explains.
const clockStep = time.Minute

// uptime is how long the daemon has been running. If the clock was set, the recorded
// start is unusable; some systems have a better source.
func uptime(daemon *instance.Daemon, now time.Time) time.Duration {
	started := daemon.Started
	if began, err := process.Began(daemon.PID); err == nil && started.Sub(began).Abs() > clockStep {
		started = began
	}
	return max(0, now.Sub(started))
}
