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
		Short: "Begin with a new virtual machine, and the same settings",
		Long: `Replace the virtual machine by a new one with the same settings, from the image that
virtualMachine.image names now. All that is on the disk of the old one is lost:
containers, images and volumes.

An engine that was there already is not rdd's to replace: where there is no virtual
machine nothing is changed. The command says what goes, and asks.`,
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
	addWaitFlags(cmd, &f, "the new virtual machine is as the old one was to be")
	return cmd
}

func (a *appSession) reset(app *appv1alpha1.App, wait bool) error {
	vm, err := a.client.AppVM(a.ctx, app)
	if err != nil {
		return err
	}
	if vm == nil {
		a.sayNow("There is no virtual machine to reset: nothing was changed.\n" +
			"(`rdd delete` deletes the App and its settings, and `rdd service reset` begins with an empty store.)")
		return nil
	}
	wish, err := a.client.ResetApp(a.ctx, time.Now().UTC().Format(time.RFC3339Nano))
	if err != nil {
		return err
	}
	if !wait {
		a.goesOn = true
		a.sayNow("The virtual machine is being replaced.")
		return nil
	}
	return a.settle(wish)
}
