// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"

	"github.com/spf13/cobra"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

func (e *env) stopCommand() *cobra.Command {
	var f waitFlags
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the virtual machine or disconnect from the engine",
		Long: `Stop the virtual machine and its containers, or disconnect from an engine outside a virtual
machine, whose containers keep running (set running=false). The command waits until the
engine is disconnected and its mirror objects are deleted. The settings are kept for
` + "`rdd start`" + `. To stop the daemon use ` + "`rdd service stop`" + `.`,
		Example: `  rdd stop`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withExistingApp(cmd.Context(), f, "nothing is running", func(a *appSession, _ *appv1alpha1.App) error {
				return a.apply(map[string]any{"running": false}, f.wait)
			})
		},
	}
	addWaitFlags(cmd, &f, "the engine is disconnected and the virtual machine is stopped")
	return cmd
}

// withExistingApp calls do with the App. If there is no App, it reports that with its
// meaning, and creates nothing. It stops a daemon that it started.
func (e *env) withExistingApp(ctx context.Context, f waitFlags, means string, do func(*appSession, *appv1alpha1.App) error) error {
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	if exists, err := inst.Exists(); err != nil || !exists {
		if err == nil {
			e.Say("Instance %s does not exist and so has no App: %s.", inst.Name(), means)
		}
		return err
	}
	return e.withAppAsFound(ctx, f.timeout, func(a *appSession) error {
		app, err := a.client.App(a.ctx)
		if err != nil {
			return err
		}
		if app == nil {
			a.sayNow("There is no App: %s.", means)
			return nil
		}
		return do(a, app)
	})
}
