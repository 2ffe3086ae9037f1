// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/habits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// answerHabits has every command below root answer words and flags of other programs
// with the command that does it. typed is what the user typed behind `rdd`.
func answerHabits(root *cobra.Command, typed []string) {
	global, words := splitGlobal(typed)
	prefix := strings.Join(append([]string{"rdd"}, global...), " ")
	exists := func(path []string) bool { return commandExists(root, path) }
	explain := func(err error, flagged bool) error {
		if err == nil || fault.KindOf(err) != fault.Usage {
			return err
		}
		answer, ok := habits.For(words, flagged, exists)
		if !ok {
			return err
		}
		said, _, _ := strings.Cut(err.Error(), " (did you mean")
		said, _, _ = strings.Cut(said, "; see `")
		said, _, _ = strings.Cut(said, " for \"rdd\"")
		return command.Usage("%s: %s", said, answer.String(prefix))
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if cmd == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") { // the flag belongs to a command that does not exist
			return root.Args(root, words)
		}
		// A group's flag belongs to a subcommand that does not exist.
		return explain(similarFlag(cmd, err), !cmd.HasSubCommands())
	})
	eachCommand(root, func(cmd *cobra.Command) {
		if check := cmd.Args; check != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error { return explain(check(cmd, args), false) }
		}
	})
}

// similarFlag returns the error about a flag, with the flags that are like it.
func similarFlag(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return command.FlagError(cmd, err)
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	similar := command.Similar(name, names)
	if len(similar) == 0 {
		return command.FlagError(cmd, err)
	}
	return command.FlagError(cmd, fmt.Errorf("%w (did you mean --%s?)", err, strings.Join(similar, " or --")))
}

// eachCommand calls visit with a command and all below it.
func eachCommand(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, below := range cmd.Commands() {
		eachCommand(below, visit)
	}
}

// commandExists reports whether the first words of a path are a command.
func commandExists(root *cobra.Command, path []string) bool {
	cmd := root
	_, path = splitGlobal(path)
	for _, word := range path {
		if !cmd.HasSubCommands() {
			break // the rest is its arguments
		}
		below := childNamed(cmd, word)
		if below == nil {
			return false
		}
		cmd = below
	}
	return cmd != root
}

func childNamed(cmd *cobra.Command, name string) *cobra.Command {
	for _, below := range cmd.Commands() {
		if below.Name() == name || below.HasAlias(name) {
			return below
		}
	}
	return nil
}

// splitGlobal splits arguments into the global flags that begin them and the rest.
func splitGlobal(args []string) (global, words []string) {
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(args[i], "=")
		switch {
		case !isGlobalFlag(name):
			return args[:i], args[i:]
		case !hasValue:
			i++ // its value
		}
	}
	return args, nil
}

// typedFormat returns the value of --log-format among arguments that are not parsed yet.
func typedFormat(args []string) (format string) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--log-format="); ok {
			format = value
		}
		if arg == "--log-format" && i+1 < len(args) {
			format = args[i+1]
		}
	}
	return format
}
