// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// killGrace is how long a process may exist after SIGKILL.
const killGrace = 5 * time.Second

// Stop stops the daemon gracefully, and by force when ctx ends, which is then a
// [fault.Deadline]. It reports whether one was running. If wait is false, it only
// requests the stop.
func (s *Service) Stop(ctx context.Context, wait bool) (stopped bool, err error) {
	daemon, err := s.Instance.Daemon()
	if err != nil || daemon == nil {
		return false, err
	}
	asked := 0
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for daemon != nil {
		if daemon.PID != 0 && daemon.PID != asked {
			if err := interrupt(daemon.PID); err != nil {
				return false, fault.New(fault.Failed, "stop the daemon", fmt.Sprint("(process ", daemon.PID, ")"), err)
			}
			asked = daemon.PID
			s.progress("stopping the daemon (process %d)", asked)
		}
		if !wait && asked != 0 {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return true, s.kill(ctx.Err())
		case <-ticker.C:
		}
		if daemon, err = s.Instance.Daemon(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// kill stops the daemon by force, and returns the result as an error.
func (s *Service) kill(cause error) error {
	daemon, err := s.Instance.Daemon()
	if err != nil || daemon == nil {
		return err
	}
	failed := func(format string, args ...any) error {
		return fault.New(fault.Deadline, "stop the daemon of instance", s.Instance.Name(),
			fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), cause))
	}
	if daemon.PID == 0 {
		return failed("an unknown process holds the daemon's lock, %s; it was not killed: "+
			"stop that process yourself", s.Instance.LockFile())
	}
	if err := kill(daemon.PID); err != nil {
		return fault.New(fault.Failed, "kill the daemon", fmt.Sprint("(process ", daemon.PID, ")"), err)
	}
	for deadline := time.Now().Add(killGrace); time.Now().Before(deadline); time.Sleep(poll) {
		if alive, err := s.Instance.Alive(); err == nil && !alive {
			return failed("the daemon (process %d) did not stop in time and was killed", daemon.PID)
		}
	}
	return failed("the daemon (process %d) did not stop in time, and still runs after it was killed", daemon.PID)
}

// Outdated reports whether a daemon of another version is running.
func (s *Service) Outdated() (bool, error) {
	daemon, err := s.Instance.Daemon()
	return err == nil && daemon != nil && daemon.Version != "" && daemon.Version != version.RDD(), err
}

// stopOther stops a running daemon of another version, and copies its overrides for the
// next one. It reports whether a daemon is still running. The caller holds the start
// lock.
func (s *Service) stopOther(ctx context.Context, overrides *Overrides) (running bool, err error) {
	daemon, err := s.Instance.Daemon()
	if err != nil || daemon == nil || daemon.Version == "" || daemon.Version == version.RDD() {
		return daemon != nil, err
	}
	if place, err := s.place(); err == nil {
		if err := place.Newer(); err != nil { // only the running version can read the store
			return true, fault.New(fault.Version, "", "", fmt.Errorf(
				"the daemon of instance %s is rdd %s, and this rdd %s can't replace it: %w", s.Instance.Name(), daemon.Version, version.RDD(), err))
		}
	}
	ran, err := s.runs()
	if err != nil {
		return true, err
	}
	s.progress("replacing the daemon of rdd %s (process %d)", daemon.Version, daemon.PID)
	if _, err := s.Stop(ctx, true); err != nil {
		return true, err
	}
	s.Replaced = daemon.Version
	if ran != nil && overrides.Controllers == nil {
		overrides.Controllers = ran.Controllers
	}
	if ran != nil && overrides.SecurePort == nil {
		overrides.SecurePort = ran.SecurePort
	}
	return false, nil
}
