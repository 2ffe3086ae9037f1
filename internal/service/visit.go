// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// A daemon that a command has started for itself alone is marked by a file, until
// anybody else needs it: who takes the mark away may rely on the daemon. The mark is
// written, taken away and acted upon by those who hold the start lock.

// Visit makes sure that the daemon runs and is ready, for a command after which one
// that did not run before does not run. leave, which is never nil, must be called:
// it ends a daemon that was started for the visit, and removes an instance that was
// made for it, unless another command has come to need them.
func (s *Service) Visit(ctx context.Context) (leave func(context.Context) error, err error) {
	leave = func(context.Context) error { return nil }
	ours, made, err := s.startVisit(ctx)
	if ours {
		leave = func(ctx context.Context) error { return s.leave(ctx, made) }
	}
	if err == nil {
		_, err = s.WaitReady(ctx)
	}
	return leave, err
}

// startVisit starts a marked daemon where none runs, and reports whether it did
// (ours), and whether it made the instance.
func (s *Service) startVisit(ctx context.Context) (ours, made bool, err error) {
	if !s.MayMake {
		if err := s.Instance.Require(); err != nil {
			return false, false, err
		}
	}
	if daemon, err := s.Instance.Daemon(); err == nil && (daemon == nil || daemon.Stopping) {
		s.progress("starting the daemon of instance %s", s.Instance.Name())
	}
	if err := CheckEnv(); err != nil {
		return false, false, err
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return false, false, err
	}
	defer lock.Unlock()
	running, err := s.isRunning(ctx)
	if err == nil && running {
		err = s.unmark() // the visitor before must not end it under this one
	}
	if err != nil || running {
		return false, false, err
	}
	if err := os.WriteFile(s.Instance.VisitFile(), nil, 0o600); err != nil {
		return false, false, err
	}
	made, err = s.createLocked(DefaultSettings())
	if err == nil {
		// A process that nothing has waited for could begin after the end of the visit.
		err = s.launch(context.WithoutCancel(ctx), Overrides{})
	}
	return true, made, err
}

// visited reports whether the daemon that runs was started for one visit.
func (s *Service) visited() bool {
	_, err := os.Stat(s.Instance.VisitFile())
	return err == nil
}

// unmark takes the mark away. The caller holds the start lock.
func (s *Service) unmark() error {
	if err := os.Remove(s.Instance.VisitFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// leave ends a visit. No command can come to need the daemon while it ends, as the
// start lock is held.
func (s *Service) leave(ctx context.Context, made bool) error {
	lock, err := s.Instance.LockStart(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted since
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if !s.visited() {
		return nil
	}
	if _, err := s.Stop(ctx, true); err != nil || !made {
		return errors.Join(err, s.unmark())
	}
	return s.removeLocked(ctx, false)
}

// EndVisit stops the daemon if it was started for a visit that has not ended, and leaves
// the instance. It reports whether it did.
func (s *Service) EndVisit(ctx context.Context) (stopped bool, err error) {
	stopped = s.visited()
	return stopped, s.leave(ctx, false)
}

// Keep keeps a daemon that was started for a visit.
func (s *Service) Keep(ctx context.Context) error {
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return s.unmark()
}
