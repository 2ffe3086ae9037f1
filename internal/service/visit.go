// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// A file marks a daemon that a command has started only for itself. A command that
// removes the mark can rely on the daemon. The mark is written, removed and acted on
// under the start lock.

// Visit makes sure that the daemon is running and ready, for the duration of one
// command. The caller must call leave, which is never nil: it stops a daemon that was
// started for the visit, and deletes an instance that was created for it, unless
// another command needs them by then.
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

// startVisit starts a marked daemon if none is running. ours is whether it started one,
// made whether it created the instance.
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
		err = s.unmark() // the previous visitor must not stop it during this visit
	}
	if err != nil || running {
		return false, false, err
	}
	if err := os.WriteFile(s.Instance.VisitFile(), nil, 0o600); err != nil {
		return false, false, err
	}
	made, err = s.createLocked(DefaultSettings())
	if err == nil {
		// Wait without ctx: otherwise the process could start after the visit has
		// ended.
		err = s.launch(context.WithoutCancel(ctx), Overrides{})
	}
	return true, made, err
}

// visited reports whether the running daemon was started for one visit.
func (s *Service) visited() bool {
	_, err := os.Stat(s.Instance.VisitFile())
	return err == nil
}

// unmark removes the mark. The caller holds the start lock.
func (s *Service) unmark() error {
	if err := os.Remove(s.Instance.VisitFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// leave ends a visit. It holds the start lock, so that no command can begin to need the
// daemon.
func (s *Service) leave(ctx context.Context, made bool) error {
	lock, err := s.Instance.LockStart(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted in between
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

// EndVisit stops a daemon that was started for an unfinished visit, and keeps the
// instance. It reports whether it did.
func (s *Service) EndVisit(ctx context.Context) (stopped bool, err error) {
	stopped = s.visited()
	return stopped, s.leave(ctx, false)
}

// Keep keeps a daemon running that was started for a visit.
func (s *Service) Keep(ctx context.Context) error {
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return s.unmark()
}
