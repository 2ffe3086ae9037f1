// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

// addPlatformCommands adds the command with which `service stop` reaches a
// process on another console.
func (e *env) addPlatformCommands(parent *cobra.Command) {
	interrupt := &cobra.Command{
		Use:    "interrupt PID",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			pid, err := strconv.Atoi(args[0])
			if err != nil {
				return command.Usage("%q is not a process ID", args[0])
			}
			return service.Interrupt(pid)
		},
	}
	absent(needsNoInstance, interrupt)
	parent.AddCommand(interrupt)
}
