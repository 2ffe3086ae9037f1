// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// onAbsent is the annotation that says what a command does about an instance that
// does not exist. A command without it refuses, so that a new command makes no
// instance of a misspelt name.
const onAbsent = "rdd.rancherdesktop.io/on-absent-instance"

// The values of [onAbsent].
const (
	makesIt      = "make"         // the command makes the instance
	makesDefault = "make-default" // only the one of the default name
	saysSo       = "report"       // the command says that there is none, which is no failure
	needsNone    = "none"         // the command has nothing to do with an instance
)

// absent declares what the commands do about an instance that does not exist.
func absent(how string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		if cmd.Annotations == nil {
			cmd.Annotations = map[string]string{}
		}
		cmd.Annotations[onAbsent] = how
	}
}

// mayMake reports whether a command may make the instance.
func mayMake(cmd *cobra.Command, inst *instance.Instance) bool {
	switch cmd.Annotations[onAbsent] {
	case makesIt:
		return true
	case makesDefault:
		return inst.Name() == instance.DefaultName
	}
	return false
}

// checkInstance refuses a command that needs an instance if there is none, and
// notes whether the command may make it.
func (e *env) checkInstance(cmd *cobra.Command) error {
	how := cmd.Annotations[onAbsent]
	if how == needsNone || !belowOurs(cmd) {
		return nil
	}
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	e.makes = mayMake(cmd, inst)
	if e.makes || how == saysSo {
		return nil
	}
	return inst.Require()
}

// belowOurs reports whether a command is one of rdd's that does something, and
// neither one that cobra adds nor one that only shows what is below it.
func belowOurs(cmd *cobra.Command) bool {
	if cmd.HasSubCommands() {
		return false
	}
	switch cmd.Name() {
	case "help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return false
	}
	return true
}
