// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/properties"
)

func (e *env) setCommand() *cobra.Command {
	var f waitFlags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "set [PROPERTY=VALUE...]",
		Short: "Change settings of the App",
		Long: `Change settings of the App, and wait until they have taken effect. The command creates the
App if it does not exist, and writes all settings in one request. Without arguments it
lists all properties. PROPERTY= resets a number, a size or a list to its default.

If the wait is interrupted or times out, the new settings are kept and the daemon
continues to apply them. If the command changes nothing, it stops a daemon that it started.`,
		Example: `  # List all properties
  rdd set

  # Connect to an existing engine
  rdd set running=true containerEngine.endpoint=unix:///var/run/docker.sock

  # Mount a directory into the virtual machine
  rdd set virtualMachine.mounts='[{"location":"~/src","writable":true}]'

  # Validate a change without making it
  rdd set --dry-run virtualMachine.memory=6Gi`,
		RunE: func(cmd *cobra.Command, args []string) error {
			// The API server validates the rest.
			if err := properties.CheckForm(args); err != nil {
				return err
			}
			return e.withAppAsFound(cmd.Context(), f.timeout, func(a *appSession) error {
				return a.set(args, dryRun, f.wait)
			})
		},
	}
	cmd.ValidArgsFunction = e.completeProperties
	addWaitFlags(cmd, &f, "the settings have taken effect")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "validate the settings without changing anything")
	return cmd
}

func (a *appSession) set(args []string, dryRun, wait bool) error {
	definition, err := a.client.AppProperties(a.ctx)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		a.progress.done()
		a.printProperties(definition)
		return nil
	}
	spec, err := definition.Parse(args)
	if err != nil {
		return err
	}
	if !dryRun {
		err := a.apply(spec, wait)
		a.pending = a.pending || err == nil // the daemon maintains the App from now on
		return err
	}
	if _, err := a.client.SetApp(a.ctx, spec, true); err != nil {
		return err
	}
	a.sayNow("The settings are valid. Nothing was changed (dry run).")
	return nil
}

func (e *env) printProperties(set *properties.Set) {
	for _, property := range set.All() {
		kind := property.Type
		if len(property.Enum) > 0 {
			kind = fmt.Sprint(property.Enum)
		}
		if len(property.Fields) > 0 {
			kind += " of JSON objects with the fields " + strings.Join(property.Fields, ", ")
		}
		_, _ = fmt.Fprintf(e.Stdout, "%s (%s", property.Name, kind)
		if property.Default != "" {
			_, _ = fmt.Fprintf(e.Stdout, ", default %s", property.Default)
		}
		_, _ = fmt.Fprintf(e.Stdout, ")\n")
		if property.Help != "" {
			_, _ = fmt.Fprintf(e.Stdout, "    %s\n", strings.ReplaceAll(property.Help, "\n", "\n    "))
		}
	}
}
