// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/execve"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// tool is a program that `rdd NAME` runs as `rdd run NAME` does.
type tool struct{ name, short, example, install string }

func tools() []tool {
	return []tool{
		{"docker", "Run docker for this instance's engine", "rdd docker run --rm hello-world", "https://docs.docker.com/engine/install/ (on Debian and Ubuntu `sudo apt install docker-cli`)"},
		{"nerdctl", "Run nerdctl for this instance's containerd", "rdd nerdctl ps", "https://github.com/containerd/nerdctl/releases"},
		{"helm", "Run helm with this instance's environment", "rdd helm list", "https://helm.sh/docs/intro/install/"},
	}
}

// runTool runs a program with all arguments, if the command line is for one. Its flags
// are none of rdd's, so cobra must not see them.
func (e *env) runTool(ctx context.Context, args []string) (code int, ok bool) {
	for _, t := range tools() {
		if global, rest, ok := splitAt(t.name, args); ok {
			return e.Exit(e.tool(ctx, t, global, rest)), true
		}
	}
	return 0, false
}

func (e *env) tool(ctx context.Context, t tool, global, args []string) error {
	flags := pflag.NewFlagSet(t.name, pflag.ContinueOnError)
	e.AddFlags(flags)
	if err := flags.Parse(global); err != nil {
		return command.Usage("%w; see `rdd --help`", err)
	}
	if _, err := e.Logger(); err != nil {
		return err
	}
	e.mayCreate = true // as for `rdd run`
	err := e.run(ctx, settleTimeout, append([]string{t.name}, args...))
	var failed *execve.Error
	if !errors.As(err, &failed) {
		return err
	}
	if failed.Code == execve.ExitNotFound {
		failed.Err = fmt.Errorf("%w; to install %s: %s", failed.Err, t.name, t.install)
	}
	return &command.ExitError{Code: failed.Code, Message: fault.Prefix + failed.Error()}
}

// toolCommands stand for the programs in the help and in completions.
func (e *env) toolCommands() (commands []*cobra.Command) {
	for _, t := range tools() {
		commands = append(commands, &cobra.Command{
			Use:   t.name + " [ARGUMENT...]",
			Short: t.short,
			Long: fmt.Sprintf("Run %[1]s as `rdd run %[1]s` does: for the engine of this instance, which is started\n"+
				"if needed. Everything behind the name is %[1]s's.", t.name),
			Example:            "  " + t.example,
			DisableFlagParsing: true,
			RunE:               func(cmd *cobra.Command, args []string) error { return e.tool(cmd.Context(), t, nil, args) },
		})
	}
	return commands
}
