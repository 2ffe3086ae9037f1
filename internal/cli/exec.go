// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/client-go/util/exec"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror/streams"
)

func (e *env) execCommand() *cobra.Command {
	var l listing.Lister
	var interactive, tty bool
	cmd := &cobra.Command{
		Use:   "exec [flags] CONTAINER COMMAND [ARGUMENT...]",
		Short: "Run a command in a container",
		Long: `Run a command in a running container, and exit with its exit code. CONTAINER is a
container's name or the beginning of its ID.`,
		Example: "  rdd exec -it web sh\n  rdd exec web ls /",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return command.Usage("requires a container and a command; see `%s --help`", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			options := streams.ExecOptions{Command: args[1:], TTY: tty, Stdout: e.Stdout, Stderr: e.Stderr}
			if interactive {
				options.Stdin = os.Stdin
			}
			if tty && !term.IsTerminal(int(os.Stdin.Fd())) {
				return fault.New(fault.Failed, "", "", errors.New("--tty requires a terminal on standard input"))
			}
			ctx, stop := e.UntilSignal(cmd.Context())
			defer stop()
			err := e.withContainer(ctx, &l, args[0], func(c *streams.Client, id string) error { return c.Exec(ctx, id, options) })
			var exit exec.CodeExitError
			switch {
			case errors.As(err, &exit):
				return &command.ExitError{Code: exit.Code}
			case errors.Is(err, context.Canceled) && ctx.Err() != nil:
				return &command.ExitError{Code: interrupted}
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false) // the flags after the container belong to the command
	e.addScopeFlags(cmd, &l.Scope)
	cmd.ValidArgsFunction = e.completeContainers(&l.Scope, true)
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "pass standard input to the command")
	cmd.Flags().BoolVarP(&tty, "tty", "t", false, "allocate a terminal for the command")
	return cmd
}
