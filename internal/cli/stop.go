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
		Short: "Stop: stop the virtual machine, or disconnect from the engine, and wait",
		Long: `Set running=false, and wait until the engine is disconnected and its objects are
gone from the API. The virtual machine stops, with its containers; they run on in an
engine that was there already. Settings stay, for
` + "`rdd start`" + `; the daemon runs on, if it did (` + "`rdd service stop`" + ` stops it).`,
		Example: `  rdd stop`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withExistingApp(cmd.Context(), f, "nothing runs", func(a *appSession, _ *appv1alpha1.App) error {
				return a.apply(map[string]any{"running": false}, f.wait)
			})
		},
	}
	addWaitFlags(cmd, &f, "the engine is disconnected, and the virtual machine has stopped")
	return cmd
}

// withExistingApp calls do with the App. Where there is none it says so, and what
// that means, and makes nothing. A daemon that has to be started for it ends with it.
func (e *env) withExistingApp(ctx context.Context, f waitFlags, means string, do func(*appSession, *appv1alpha1.App) error) error {
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	if exists, err := inst.Exists(); err != nil || !exists {
		if err == nil {
			e.Say("There is no App, as instance %s does not exist: %s.", inst.Name(), means)
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
