// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// Reset replaces the store by an empty one and the administrator's token by a new one,
// with the daemon stopped. It returns the overrides of the daemon; nil if it was not
// running.
func (s *Service) Reset(ctx context.Context) (ran *Overrides, err error) {
	if err := s.exists("reset instance"); err != nil {
		return nil, err
	}
	place, err := s.place()
	if err != nil {
		return nil, fault.New(fault.KindOf(err), "reset instance", s.Instance.Name(), err)
	}
	return s.stopped(ctx, func() error {
		if err := pki.RenewToken(s.Instance.TLSDir()); err != nil {
			return err
		}
		if err := place.Erase(ctx); err != nil {
			return err
		}
		return s.rewriteKubeconfig()
	})
}

// Rotate replaces the administrator's token, the certificates and the key that signs
// the tokens of service accounts, with the daemon stopped, so that no client with old
// credentials stays connected. It returns the overrides of the daemon; nil if it was
// not running. After an interruption, the daemon's next start completes it.
func (s *Service) Rotate(ctx context.Context) (ran *Overrides, err error) {
	if err := s.exists("rotate the secrets of instance"); err != nil {
		return nil, err
	}
	return s.stopped(ctx, func() error {
		if _, err := pki.Renew(s.Instance.TLSDir(), time.Now()); err != nil {
			return err
		}
		return s.rewriteKubeconfig()
	})
}

func (s *Service) exists(operation string) error {
	exists, err := s.Instance.Exists()
	if err == nil && !exists {
		err = fault.New(fault.Failed, operation, s.Instance.Name(), errors.New("the instance does not exist"))
	}
	return err
}

// stopped stops the daemon, and calls do while no daemon can start.
func (s *Service) stopped(ctx context.Context, do func() error) (ran *Overrides, err error) {
	if ran, err = s.runs(); err != nil {
		return nil, err
	}
	for {
		err := s.stopOnce(ctx, do)
		// Another command may have started the daemon since it was stopped.
		if !errors.Is(err, instance.ErrRunning) || ctx.Err() != nil {
			return ran, err
		}
	}
}

func (s *Service) stopOnce(ctx context.Context, do func() error) error {
	if _, err := s.Stop(ctx, true); err != nil {
		return err
	}
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	guard, err := s.Instance.LockDaemon(ctx)
	if err != nil {
		return err
	}
	defer guard.Unlock()
	return do()
}

// runs returns the overrides of the running daemon; nil if there are none.
func (s *Service) runs() (*Overrides, error) {
	daemon, err := s.Instance.Daemon()
	if err != nil || daemon == nil {
		return nil, err
	}
	ran := &Overrides{}
	if daemon.Address == "" {
		return ran, nil // it has just started
	}
	settings, err := s.Instance.LoadSettings()
	if err == nil && settings.Controllers != daemon.Controllers {
		ran.Controllers = &daemon.Controllers
	}
	if port := s.Instance.LastPort(); err == nil && port != 0 && port != settings.SecurePort {
		ran.SecurePort = &port
	}
	return ran, nil
}

// rewriteKubeconfig writes the kubeconfig, if it exists, with the new secrets and its
// previous port.
func (s *Service) rewriteKubeconfig() error {
	address := s.Instance.LastAddress()
	if address == "" {
		return nil
	}
	identity, err := pki.Load(s.Instance.TLSDir(), time.Now())
	if err != nil {
		return err
	}
	return s.Instance.WriteKubeconfig(address, identity.CACert, identity.AdminToken)
}
