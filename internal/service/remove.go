// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/store"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
)

// Delete stops the daemon and the instance's virtual machines, and removes it
// all. It reports whether there was one. Where something does not end in time the
// instance stays.
func (s *Service) Delete(ctx context.Context, keepLogs bool) (deleted bool, err error) {
	exists, err := s.Instance.Exists()
	if err != nil || !exists {
		return false, err
	}
	if err := CheckEnv(); err != nil {
		return false, err // the user may mean a datastore from which to remove the objects
	}
	if _, err := s.Stop(ctx, true); err != nil {
		return false, err
	}
	lock, err := s.Instance.LockStart(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // another command was faster
	}
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	return true, s.removeLocked(ctx, keepLogs)
}

// removeLocked removes the instance, with all that is to be taken back of it. The
// caller holds the start lock, and has stopped the daemon.
func (s *Service) removeLocked(ctx context.Context, keepLogs bool) error {
	// No command starts a daemon while the start lock is held; but one may have
	// been started since the one before was stopped.
	guard, err := s.Instance.LockDaemon(ctx)
	if errors.Is(err, instance.ErrRunning) {
		return fault.New(fault.Failed, "delete instance", s.Instance.Name(), errors.New("another command started it at the same time"))
	}
	if err != nil {
		return err
	}
	defer guard.Unlock()
	// Without the instance nothing records what there is to take back.
	if err := dockercontext.Forget(ctx, s.Instance.ContextMemory()); err != nil {
		return fault.New(fault.Failed, "take back the Docker context of instance", s.Instance.Name(),
			fmt.Errorf("%w (to leave it as it is, remove %s)", err, s.Instance.ContextMemory()))
	}
	if err := lima.DeleteAll(ctx, lima.Defaults(s.Instance), s.Progress); err != nil {
		return fault.New(fault.Failed, "delete instance", s.Instance.Name(), err)
	}
	place, err := s.place()
	if err != nil {
		// Settings that can't be used do not keep the user from the removal of what they are of.
		s.progress("leaving the datastore as it is: %v", err)
	} else if err := place.Erase(ctx); err != nil {
		return fault.New(fault.Failed, "delete instance", s.Instance.Name(),
			fmt.Errorf("%w (to leave the datastore as it is, remove %s)", err, s.Instance.Dir()))
	}
	return s.Instance.Remove(keepLogs)
}

// place returns where the objects are.
func (s *Service) place() (store.Place, error) {
	settings, err := s.Instance.LoadSettings()
	if err != nil {
		return store.Place{}, err
	}
	place := store.Place{
		Instance: s.Instance,
		Endpoint: datastore.InForce(settings.Datastore),
		Log:      slog.New(slog.DiscardHandler), // what fails is told by its error
	}
	return place, place.Endpoint.Check()
}

// CheckEnv refuses an address in the environment that does not parse.
func CheckEnv() error {
	if err := datastore.FromEnv().Check(); err != nil {
		return fault.New(fault.Usage, datastore.EndpointEnv, "", err)
	}
	return nil
}
