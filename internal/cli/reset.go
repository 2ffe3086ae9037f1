// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"time"

	"github.com/spf13/cobra"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

func (e *env) resetAppCommand() *cobra.Command {
	var f waitFlags
	var q question
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Replace the virtual machine with a new one",
		Long: `Replace the virtual machine with a new one that has the same settings and the image in
virtualMachine.image. All containers, images and volumes on the old disk are lost. If the
App uses an engine outside a virtual machine, the command changes nothing.

The command lists what it will delete, and asks for confirmation.`,
		Example: `  rdd reset

  # In a script
  rdd reset --yes`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.ask(cmd, q, (*inventory.Inventory).WithAppsMachine); err != nil {
				return err
			}
			return e.withExistingApp(cmd.Context(), f, "there is no virtual machine to reset", func(a *appSession, app *appv1alpha1.App) error {
				return a.reset(app, f.wait)
			})
		},
	}
	addYesFlag(cmd, &q)
	addWaitFlags(cmd, &f, "the new virtual machine is in the desired state")
	return cmd
}

func (a *appSession) reset(app *appv1alpha1.App, wait bool) error {
	vm, err := a.client.AppVM(a.ctx, app)
	if err != nil {
		return err
	}
	if vm == nil {
		a.sayNow("There is no virtual machine to reset: nothing was changed.\n" +
			"(`rdd delete` deletes the App and its settings, and `rdd service reset` replaces the store with an empty one.)")
		return nil
	}
	desired, err := a.client.ResetApp(a.ctx, time.Now().UTC().Format(time.RFC3339Nano))
	if err != nil {
		return err
	}
	if !wait {
		a.pending = true
		a.sayNow("The virtual machine is being replaced.")
		return nil
	}
	return a.settle(desired)
}
