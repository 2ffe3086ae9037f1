// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

func (e *env) vmLogCommand() *cobra.Command {
	var follow, serial, agent bool
	tail := -1
	cmd := &cobra.Command{
		Use:     "log NAME",
		Aliases: []string{"logs"},
		Short:   "Print a log of a virtual machine",
		Long: `Print what limactl said of a virtual machine when it made, started and stopped it, what
its host agent says (--agent), or the guest's console (--serial), both since the last
start. The logs of one that is gone are kept. No daemon is needed.`,
		Example: `  rdd limavm log web
  rdd limavm log web --serial --follow`,
		Args: oneVM,
		RunE: func(cmd *cobra.Command, args []string) error {
			log := lima.LimactlLog
			switch {
			case serial && agent:
				return command.Usage("--serial and --agent are two logs: choose one")
			case serial:
				log = lima.SerialLog
			case agent:
				log = lima.AgentLog
			}
			return e.vmLog(cmd.Context(), args[0], log, tail, follow)
		},
	}
	cmd.ValidArgsFunction = e.completeMade(func(_ *limactl.Client, logs lima.LogFiles) []string { return logs.Names() })
	cmd.Flags().BoolVarP(&follow, "follow", "f", follow, "go on printing what is added")
	cmd.Flags().BoolVar(&serial, "serial", serial, "print the guest's console")
	cmd.Flags().BoolVar(&agent, "agent", agent, "print what the host agent says")
	cmd.Flags().IntVar(&tail, "tail", tail, "print only this `many` lines from the end; -1 for all")
	return cmd
}

func (e *env) vmLog(ctx context.Context, name string, log lima.Log, tail int, follow bool) error {
	_, logs, err := e.machines()
	if err != nil {
		return err
	}
	if names := logs.Names(); !slices.Contains(names, name) {
		there := "there are none"
		if len(names) > 0 {
			there = "there are those of " + strings.Join(names, ", ")
		}
		return fmt.Errorf("there is no log of a virtual machine %q in %s or %s (%s)%s", name, logs.Home, logs.Dir, there, meant(name, names))
	}
	path := logs.Path(name, log)
	err = printLog(ctx, e.Stdout, path, tail, follow)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the log %s is not there: %s was not started yet", path, name)
	}
	return err
}
