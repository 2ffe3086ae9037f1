// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

func (e *env) deleteAppCommand() *cobra.Command {
	var f waitFlags
	var q question
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Delete the App and everything it owns",
		Long: `Delete the App with its settings and everything it owns: the ContainerEngine, the mirror
objects, and the virtual machine with its disk and so all containers, images and volumes
on it. The content of an engine outside the virtual machine is not changed.

The command lists what it will delete, asks for confirmation, and waits until the objects
are gone. To delete the whole instance use ` + "`rdd service delete`" + `.`,
		Example: `  rdd delete

  # In a script
  rdd delete --yes`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.ask(cmd, q, (*inventory.Inventory).WithApp); err != nil {
				return err
			}
			return e.withExistingApp(cmd.Context(), f, "there is nothing to delete", func(a *appSession, app *appv1alpha1.App) error {
				if err := a.client.DeleteApp(a.ctx, app); err != nil {
					return err
				}
				if !f.wait {
					a.pending = true
					a.sayNow("The App is being deleted.")
					return nil
				}
				if err := a.client.WaitAppGone(a.ctx, app); err != nil {
					return a.unfinished(err, "Interrupted. The daemon continues to delete the App: see `rdd status`.")
				}
				a.sayNow("Deleted the App and everything it owned.")
				return nil
			})
		},
	}
	addYesFlag(cmd, &q)
	addWaitFlags(cmd, &f, "the App is gone")
	return cmd
}
