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
		Short: "Change settings of the App, and wait until they hold",
		Long: `Change settings of the App, which is made if there is none, and wait until
everything that was asked for is true. All settings of one command are one write.
Without an argument the properties are listed, with what each is for. A number, a
size or a list with nothing behind its = has its default again.

What was set stays set when the wait is interrupted, or its time is over: the
daemon continues. If nothing is changed, a daemon that was started for the command is stopped
again.`,
		Example: `  # What can be set
  rdd set

  # Connect to an engine that is there already
  rdd set running=true containerEngine.endpoint=unix:///var/run/docker.sock

  # Directories of this machine in the virtual machine
  rdd set virtualMachine.mounts='[{"location":"~/src","writable":true}]'

  # Only check whether it would be accepted
  rdd set --dry-run virtualMachine.memory=6Gi`,
		RunE: func(cmd *cobra.Command, args []string) error {
			// The rest is the API server's to say.
			if err := properties.CheckForm(args); err != nil {
				return err
			}
			return e.withAppAsFound(cmd.Context(), f.timeout, func(a *appSession) error {
				return a.set(args, dryRun, f.wait)
			})
		},
	}
	cmd.ValidArgsFunction = e.completeProperties
	addWaitFlags(cmd, &f, "what was set is true")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only check what was asked for; nothing is changed")
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
		a.goesOn = a.goesOn || err == nil // the App is the daemon's to keep as it is
		return err
	}
	if _, err := a.client.SetApp(a.ctx, spec, true); err != nil {
		return err
	}
	a.sayNow("It would be accepted. Nothing was changed.")
	return nil
}

func (e *env) printProperties(set *properties.Set) {
	for _, property := range set.All() {
		kind := property.Type
		if len(property.Enum) > 0 {
			kind = fmt.Sprint(property.Enum)
		}
		if len(property.Fields) > 0 {
			kind += " of objects, in JSON, with " + strings.Join(property.Fields, ", ")
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
