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
		Short: "Delete the App and all that it owns, and wait until it is gone",
		Long: `Delete the App with its settings and all that it owns: the connection to the engine,
and the objects of the API that stand for what is in the engine. The virtual machine is
removed with its disk: with its containers, images and volumes. Those of an engine that
was there already stay as they are. The instance stays, too: ` + "`rdd service delete`" + `
removes it. The command says what goes, and asks.`,
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
					a.goesOn = true
					a.sayNow("The App is being deleted.")
					return nil
				}
				if err := a.client.WaitAppGone(a.ctx, app); err != nil {
					return a.unfinished(err, "Interrupted. The App is being deleted all the same: `rdd status` says how far it is.")
				}
				a.sayNow("The App and all that it owned is gone.")
				return nil
			})
		},
	}
	addYesFlag(cmd, &q)
	addWaitFlags(cmd, &f, "the App is gone")
	return cmd
}
