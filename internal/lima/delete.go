// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
)

// delete deletes the virtual machine, and then removes the LimaVM's finalizer.
func (s *scope) delete(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if op := s.machine.op; op != nil {
		state := op.State()
		if !state.Done {
			if op.kind != opDelete {
				op.Cancel()
			}
			s.vm.Status.Progress = &state.Progress
			s.doing(opDelete, state.Progress.Message)
			return reconcile.Result{}, nil
		}
		s.machine.op = nil
		if state.Err != nil && op.kind == opDelete {
			s.failed(opDelete, state.Err)
		}
	}
	gone, err := s.lookForRest(ctx)
	switch {
	case err != nil:
		s.unknown(err)
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	case gone:
		s.machines.forget(request)
		return reconcile.Result{}, finalizer.Release(ctx, s.client, s.vm, finalizer.Cleanup)
	}
	graceful := s.observed.phase == up
	return s.begin(opDelete, func(ctx context.Context, a *actions) error { return a.delete(ctx, graceful) }), nil
}

// lookForRest looks for what is left of the virtual machine, and reports whether nothing is,
// or the rest belongs to another LimaVM. Without limactl, only the directory is checked.
func (s *scope) lookForRest(ctx context.Context) (bool, error) {
	if taken, err := s.taken(ctx); err != nil || taken != nil {
		return taken != nil, err
	}
	if _, err := os.Stat((&limactl.Client{Home: s.Home}).Dir(s.vm.Name)); os.IsNotExist(err) {
		return true, nil
	}
	var err error
	if s.limactl, err = limactl.Open(ctx, s.probe, s.Limactl, s.Home); err != nil {
		return false, err
	}
	s.observed, err = s.observe(ctx)
	return err == nil && s.observed.phase == absent, err
}
