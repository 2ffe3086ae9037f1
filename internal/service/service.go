// SPDX-License-Identifier: Apache-2.0

// Package service controls the daemon of an instance from another process: it creates
// and deletes the instance, starts and stops the daemon, and waits for it.
package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/diskroom"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

const (
	// DefaultControllers is the selection of a new instance.
	DefaultControllers = "*"

	poll = 5 * time.Millisecond
)

// Service is the daemon of one instance.
type Service struct {
	Instance *instance.Instance
	// Executable is the daemon's program, for `service serve`.
	Executable string
	// Progress, which may be nil, receives what the command waits for.
	Progress func(message string)
	// MayMake allows a start to create a missing instance. Otherwise the start fails,
	// and touches no file.
	MayMake bool
	// Replaced is the version of the daemon that Start replaced; empty for none.
	Replaced string

	launched int // the process that Start started last; 0 for none
}

// ErrStopped says that another command stopped the daemon before it was ready.
var ErrStopped = errors.New("it was stopped before it was ready")

// Overrides replace saved settings for one run; empty ones have no effect.
type Overrides struct {
	Controllers *string
	SecurePort  *int
	LogLevel    string
	LogFormat   string
}

// DefaultSettings are the settings of an instance that was created without others.
func DefaultSettings() instance.Settings {
	return instance.Settings{Controllers: DefaultControllers, Datastore: datastore.FromEnv()}
}

func (s *Service) progress(format string, args ...any) {
	if s.Progress != nil {
		s.Progress(fmt.Sprintf(format, args...))
	}
}

// Create creates the instance with the settings, and reports whether it did: an
// existing instance stays unchanged.
func (s *Service) Create(ctx context.Context, settings instance.Settings) (created bool, err error) {
	if err := settings.Datastore.Check(); err != nil {
		return false, fault.New(fault.Usage, "", "", err)
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	if err := s.unmark(); err != nil {
		return false, err
	}
	return s.createLocked(settings)
}

func (s *Service) createLocked(settings instance.Settings) (bool, error) {
	exists, err := s.Instance.Exists()
	if err != nil || exists {
		return false, err
	}
	if !s.MayMake {
		return false, s.Instance.Require() // deleted in between
	}
	settings.Created = time.Now().UTC().Truncate(time.Second)
	return true, s.Instance.SaveSettings(settings)
}

// lock acquires the start lock, creating the directories for it, unless the instance is
// missing and must not be created.
func (s *Service) lock(ctx context.Context) (*instance.Lock, error) {
	for {
		if !s.MayMake {
			if err := s.Instance.Require(); err != nil {
				return nil, err
			}
		}
		if err := s.Instance.MakeDirs(); err != nil {
			return nil, err
		}
		lock, err := s.Instance.LockStart(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted in between
		}
		return lock, err
	}
}

// roomNeeded are the directories that the daemon writes to.
func (s *Service) roomNeeded() []string { return s.Instance.Written() }

// Start starts the daemon if it is not running, creating a missing instance, and
// returns when the process is running. It reports whether it started one. It replaces a
// daemon of another version, unless its store has a newer format: a [fault.Version].
func (s *Service) Start(ctx context.Context, overrides Overrides) (started bool, err error) {
	return s.start(ctx, overrides, true)
}

// start is Start, which leaves a daemon of another version alone if replace is false.
func (s *Service) start(ctx context.Context, overrides Overrides, replace bool) (started bool, err error) {
	if err := CheckEnv(); err != nil {
		return false, err
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	if err := s.unmark(); err != nil {
		return false, err
	}
	running, err := s.isRunning(ctx)
	if err == nil && running && replace {
		running, err = s.stopOther(ctx, &overrides)
	}
	if err != nil || running {
		return false, err
	}
	if _, err := s.createLocked(DefaultSettings()); err != nil {
		return false, err
	}
	return true, s.launch(ctx, overrides)
}

// isRunning reports whether there is a daemon, and waits for one that is stopping.
func (s *Service) isRunning(ctx context.Context) (bool, error) {
	for {
		daemon, err := s.Instance.Daemon()
		if err != nil || daemon == nil || !daemon.Stopping {
			return daemon != nil, err
		}
		s.progress("waiting for the previous daemon (process %d) to exit", daemon.PID)
		select {
		case <-ctx.Done():
			return false, fault.New(fault.Deadline, "wait for the previous daemon to exit, instance", s.Instance.Name(), ctx.Err())
		case <-time.After(poll):
		}
	}
}

// launch starts the process, and waits until it has acquired its lock or has exited.
func (s *Service) launch(ctx context.Context, overrides Overrides) error {
	stdout, stderr, err := s.Instance.OpenLogs()
	if err != nil {
		return err
	}
	defer func() { _, _ = stdout.Close(), stderr.Close() }()
	args := []string{"--instance", s.Instance.Name(), "service", "serve", "--background"}
	if overrides.LogLevel != "" {
		args = append(args, "--log-level", overrides.LogLevel)
	}
	if overrides.LogFormat != "" {
		args = append(args, "--log-format", overrides.LogFormat)
	}
	if overrides.Controllers != nil {
		args = append(args, "--controllers", *overrides.Controllers)
	}
	if overrides.SecurePort != nil {
		args = append(args, "--secure-port", fmt.Sprint(*overrides.SecurePort))
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.Executable, args...) //nolint:gosec // this program; it outlives the one that starts it
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Dir = string(os.PathSeparator)
	process.Detach(cmd)
	if err := process.Start(cmd); err != nil {
		return fault.New(fault.Failed, "start the daemon", s.Executable, err)
	}
	s.launched = cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	for {
		alive, err := s.Instance.Alive()
		if err != nil || alive {
			return err
		}
		select {
		case <-ended:
			return s.failedStart(&instance.Daemon{PID: s.launched}, false)
		case <-ctx.Done():
			return fault.New(fault.Deadline, "start the daemon of instance", s.Instance.Name(),
				fmt.Errorf("the process has not reported its state yet and keeps starting; `rdd service stop` stops it: %w", ctx.Err()))
		case <-time.After(poll):
		}
	}
}

// failedStart returns why a daemon stopped before it was ready, from its state file. last is
// what it wrote before; lived is whether it took its lock. If it did, and the state file is
// gone or another daemon's, another command has stopped and replaced it.
func (s *Service) failedStart(last *instance.Daemon, lived bool) error {
	failed := func(reason error) error {
		return fault.New(fault.Failed, "start the daemon of instance", s.Instance.Name(), reason)
	}
	ended, err := s.Instance.Ended()
	if err != nil {
		return failed(err)
	}
	own := ended != nil && ended.PID == last.PID
	if own && ended.Failure != nil && ended.Failure.Kind == instance.Failed {
		return failed(fmt.Errorf("%s (log: %s)", ended.Failure.Message, s.Instance.StderrLog()))
	}
	if exists, err := s.Instance.Exists(); err == nil && !exists {
		return failed(errors.New("another command deleted the instance at the same time"))
	}
	if own && ended.Stopping || lived && (!own || last.Stopping) {
		return failed(ErrStopped)
	}
	words := s.Instance.LastWords()
	if dir := diskroom.Find(s.roomNeeded()...); dir != "" {
		return failed(&diskroom.FullError{Dir: dir}) // so there may be no state file
	}
	return failed(fmt.Errorf("%s (log: %s)", cmp.Or(words, "it exited without an error message"), s.Instance.StderrLog()))
}

// WaitReady waits until the daemon is ready, and returns its description. If the daemon
// exits before, the error has its last log line.
func (s *Service) WaitReady(ctx context.Context) (*instance.Daemon, error) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	waiting, last := "", &instance.Daemon{PID: s.launched}
	for {
		daemon, err := s.Instance.Daemon()
		switch {
		case err != nil:
			return nil, err
		case daemon == nil:
			return nil, s.failedStart(last, true)
		case daemon.Version != "" && daemon.Version != version.RDD():
			return nil, s.versionError(daemon)
		case daemon.Ready:
			return daemon, nil
		case daemon.Waiting != waiting && daemon.Waiting != "":
			waiting = daemon.Waiting
			s.progress("waiting for %s", waiting)
		}
		last = daemon
		select {
		case <-ctx.Done():
			return nil, fault.New(fault.Deadline, "wait for the daemon of instance", s.Instance.Name(),
				fmt.Errorf("still waiting for %s: %w", cmp.Or(waiting, "its state"), ctx.Err()))
		case <-ticker.C:
		}
	}
}

func (s *Service) versionError(daemon *instance.Daemon) error {
	return fault.New(fault.Version, "", "", fmt.Errorf(
		"the daemon of instance %s is rdd %s, and this is rdd %s: run `rdd service start` to replace it",
		s.Instance.Name(), daemon.Version, version.RDD()))
}

// EnsureReady starts the daemon if necessary, and waits until it is ready.
func (s *Service) EnsureReady(ctx context.Context) (*instance.Daemon, error) {
	daemon, err := s.Instance.Daemon()
	if err != nil {
		return nil, err
	}
	if daemon == nil && !s.MayMake {
		if err := s.Instance.Require(); err != nil {
			return nil, err
		}
	}
	visited := s.visited()
	if daemon != nil && daemon.Ready && !daemon.Stopping && daemon.Version == version.RDD() && !visited {
		return daemon, nil
	}
	if daemon == nil || daemon.Stopping {
		s.progress("starting the daemon of instance %s", s.Instance.Name())
	}
	if daemon == nil || daemon.Stopping || visited {
		if _, err := s.start(ctx, Overrides{}, false); err != nil {
			return nil, err
		}
	}
	return s.WaitReady(ctx)
}
