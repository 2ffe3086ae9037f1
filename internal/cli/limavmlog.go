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
		Long: `Print the output of limactl for a virtual machine, the log of its host agent (--agent), or
the console of the guest (--serial). The last two begin with the latest start. The logs of
a deleted virtual machine are kept. The command does not need the daemon.`,
		Example: `  rdd limavm log web
  rdd limavm log web --serial --follow`,
		Args: oneVM,
		RunE: func(cmd *cobra.Command, args []string) error {
			log := lima.LimactlLog
			switch {
			case serial && agent:
				return command.Usage("--serial and --agent are mutually exclusive")
			case serial:
				log = lima.SerialLog
			case agent:
				log = lima.AgentLog
			}
			return e.vmLog(cmd.Context(), args[0], log, tail, follow)
		},
	}
	cmd.ValidArgsFunction = e.completeMade(func(_ *limactl.Client, logs lima.LogFiles) []string { return logs.Names() })
	cmd.Flags().BoolVarP(&follow, "follow", "f", follow, "follow the log output")
	cmd.Flags().BoolVar(&serial, "serial", serial, "print the guest's console")
	cmd.Flags().BoolVar(&agent, "agent", agent, "print the log of the host agent")
	cmd.Flags().IntVar(&tail, "tail", tail, "`number` of lines to print from the end of the log; -1 for all")
	return cmd
}

func (e *env) vmLog(ctx context.Context, name string, log lima.Log, tail int, follow bool) error {
	_, logs, err := e.machines()
	if err != nil {
		return err
	}
	if names := logs.Names(); !slices.Contains(names, name) {
		available := "no virtual machine has a log"
		if len(names) > 0 {
			available = "available: " + strings.Join(names, ", ")
		}
		return fmt.Errorf("no log of virtual machine %q found in %s or %s (%s)%s", name, logs.Home, logs.Dir, available, suggestion(name, names))
	}
	path := logs.Path(name, log)
	err = printLog(ctx, e.Stdout, path, tail, follow)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("log %s not found: virtual machine %s has not been started yet", path, name)
	}
	return err
}
