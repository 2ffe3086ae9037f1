// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/instances"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
)

func (e *env) instancesCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"instances"},
		Short:   "List all instances",
		Long: `List all instances of this user, with the engine, the memory of the daemon, the disk
that the instance takes with its virtual machines, and the address of its API server.
Nothing is started.`,
		Example: `  rdd list
  rdd list --output json`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			list, err := instances.Read(cmd.Context())
			if err != nil {
				return err
			}
			if output != "" {
				return printAs(e.Stdout, output, list)
			}
			if len(list) == 0 {
				e.Say("There are no instances: use `rdd start` to create one.")
				return nil
			}
			return instances.Print(e.Stdout, list)
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}
