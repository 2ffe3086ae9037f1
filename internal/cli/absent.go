// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// onAbsent is the annotation that declares what a command does if the instance does
// not exist. A command without it refuses, so that a new command does not create an
// instance with a misspelt name.
const onAbsent = "rdd.rancherdesktop.io/on-absent-instance"

// The values of [onAbsent].
const (
	createsInstance = "make"         // the command creates the instance
	createsDefault  = "make-default" // the command creates only the instance with the default name
	reportsAbsence  = "report"       // the command reports that it does not exist, and succeeds
	needsNoInstance = "none"         // the command does not use an instance
)

// absent declares what the commands do if the instance does not exist.
func absent(how string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		if cmd.Annotations == nil {
			cmd.Annotations = map[string]string{}
		}
		cmd.Annotations[onAbsent] = how
	}
}

// mayCreate reports whether a command may create the instance.
func mayCreate(cmd *cobra.Command, inst *instance.Instance) bool {
	switch cmd.Annotations[onAbsent] {
	case createsInstance:
		return true
	case createsDefault:
		return inst.Name() == instance.DefaultName
	}
	return false
}

// checkInstance refuses a command that needs an instance if it does not exist, and
// records whether the command may create it.
func (e *env) checkInstance(cmd *cobra.Command) error {
	how := cmd.Annotations[onAbsent]
	if how == needsNoInstance || !isOwnCommand(cmd) {
		return nil
	}
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	e.mayCreate = mayCreate(cmd, inst)
	if e.mayCreate || how == reportsAbsence {
		return nil
	}
	return inst.Require()
}

// isOwnCommand reports whether cmd does work of its own: it is neither added by cobra
// nor a group that only shows its subcommands.
func isOwnCommand(cmd *cobra.Command) bool {
	if cmd.HasSubCommands() {
		return false
	}
	switch cmd.Name() {
	case "help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return false
	}
	return true
}
