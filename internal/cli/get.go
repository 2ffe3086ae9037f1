// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

func (e *env) getCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "get [PROPERTY...]",
		Short: "Show settings, and whether they are defaults",
		Long: `Show the settings of the App, or those of the properties that are named, with the
source of each value: default, if it is the one that a new App has, or set. The name of
an object shows all that is in it. Without an App the defaults are shown. Nothing is
changed; ` + "`rdd set`" + ` explains the properties, ` + "`rdd ctl get`" + ` shows objects.`,
		Example: `  rdd get
  rdd get virtualMachine
  rdd get virtualMachine.cpus --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			return e.withAppAsFound(cmd.Context(), settleTimeout, func(a *appSession) error { return a.get(args, output) })
		},
	}
	cmd.ValidArgsFunction = e.completePropertyNames
	addOutputFlag(cmd, &output)
	return cmd
}

func (a *appSession) get(names []string, output string) error {
	settings, err := a.client.Settings(a.ctx, names...)
	if err != nil {
		return err
	}
	a.progress.done()
	if output != "" {
		return printAs(a.Stdout, output, settings)
	}
	table := tabwriter.NewWriter(a.Stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "PROPERTY\tVALUE\tSOURCE")
	for _, s := range settings {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, printable.Text(s.Text(), 0), s.Source)
	}
	return table.Flush()
}

// completePropertyNames completes to the names of properties that were not given yet.
func (e *env) completePropertyNames(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	set := e.knownProperties(cmd.Context())
	if set == nil {
		return nil, noFiles
	}
	return without(set.Names(), args), noFiles
}
