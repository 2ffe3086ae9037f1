// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// DeleteAll stops and deletes every virtual machine of an RDD instance without a
// running daemon, and keeps their logs. It calls progress, unless nil, for each. If
// there are none, limactl is not needed.
func DeleteAll(ctx context.Context, cfg Config, progress func(message string)) error {
	found, err := filepath.Glob(filepath.Join(cfg.Home, "*", "lima.yaml"))
	if err != nil || len(found) == 0 {
		return err
	}
	client, err := limactl.Open(ctx, limactl.NewProbe(cfg.Clock), cfg.Limactl, cfg.Home)
	if err != nil {
		return fmt.Errorf("remove the virtual machines in %s: %w", cfg.Home, err)
	}
	var failed []error
	for _, file := range found {
		name := filepath.Base(filepath.Dir(file))
		if progress != nil {
			progress("removing the virtual machine " + name)
		}
		a := &actions{Config: cfg, client: client, name: name, report: func(limav1alpha1.Progress) {}}
		if err := a.deleteNow(ctx); err != nil {
			failed = append(failed, fmt.Errorf("remove the virtual machine %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// deleteNow deletes the instance, and stops it gracefully first if it has booted.
func (a *actions) deleteNow(ctx context.Context) error {
	instance, err := a.client.Get(ctx, a.name)
	if err != nil {
		return err
	}
	events := a.client.Events(a.name)
	defer events.Close()
	state, err := events.State()
	if err != nil {
		return err
	}
	return a.delete(ctx, instance.Status == limactl.Running && state.Ready)
}
