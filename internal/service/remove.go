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

// Delete stops the daemon and the instance's virtual machines, and deletes the
// instance. It reports whether the instance existed. If something does not stop in
// time, the instance stays.
func (s *Service) Delete(ctx context.Context, keepLogs bool) (deleted bool, err error) {
	exists, err := s.Instance.Exists()
	if err != nil || !exists {
		return false, err
	}
	if err := CheckEnv(); err != nil {
		return false, err // the variable may name a datastore with objects to remove
	}
	if _, err := s.Stop(ctx, true); err != nil {
		return false, err
	}
	lock, err := s.Instance.LockStart(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // another command deleted it first
	}
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	return true, s.removeLocked(ctx, keepLogs)
}

// removeLocked deletes the instance, and undoes its changes elsewhere. The caller holds
// the start lock, and has stopped the daemon.
func (s *Service) removeLocked(ctx context.Context, keepLogs bool) error {
	// No command starts a daemon while this one holds the start lock, but one may have
	// started before that.
	guard, err := s.Instance.LockDaemon(ctx)
	if errors.Is(err, instance.ErrRunning) {
		return fault.New(fault.Failed, "delete instance", s.Instance.Name(), errors.New("another command started the daemon at the same time"))
	}
	if err != nil {
		return err
	}
	defer guard.Unlock()
	// Do this first: the instance has the only record of what to undo.
	if err := dockercontext.Forget(ctx, s.Instance.ContextMemory()); err != nil {
		return fault.New(fault.Failed, "remove the Docker context of instance", s.Instance.Name(),
			fmt.Errorf("%w (to keep the context as it is, remove %s)", err, s.Instance.ContextMemory()))
	}
	if err := lima.DeleteAll(ctx, lima.Defaults(s.Instance), s.Progress); err != nil {
		return fault.New(fault.Failed, "delete instance", s.Instance.Name(), err)
	}
	place, err := s.place()
	if err != nil {
		// Invalid settings must not prevent the deletion of their instance.
		s.progress("keeping the datastore as it is: %v", err)
	} else if err := place.Erase(ctx); err != nil {
		return fault.New(fault.Failed, "delete instance", s.Instance.Name(),
			fmt.Errorf("%w (to keep the datastore as it is, remove %s)", err, s.Instance.Dir()))
	}
	return s.Instance.Remove(keepLogs)
}

// place returns where the objects are stored.
func (s *Service) place() (store.Place, error) {
	settings, err := s.Instance.LoadSettings()
	if err != nil {
		return store.Place{}, err
	}
	place := store.Place{
		Instance: s.Instance,
		Endpoint: datastore.InForce(settings.Datastore),
		Log:      slog.New(slog.DiscardHandler), // the returned error reports failures
	}
	return place, place.Endpoint.Check()
}

// CheckEnv rejects an address in the environment that does not parse.
func CheckEnv() error {
	if err := datastore.FromEnv().Check(); err != nil {
		return fault.New(fault.Usage, datastore.EndpointEnv, "", err)
	}
	return nil
}
