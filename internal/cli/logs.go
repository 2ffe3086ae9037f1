// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/util/exec"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror/streams"
)

func (e *env) logsCommand() *cobra.Command {
	var l listing.Lister
	var options streams.LogOptions
	tail := "all"
	cmd := &cobra.Command{
		Use:   "logs CONTAINER",
		Short: "Print the logs of a container",
		Long: `Print the standard output and standard error of a container. CONTAINER is a container's
name or the beginning of its ID.`,
		Example: "  rdd logs web\n  rdd logs --follow --tail 10 web",
		Args:    oneContainer,
		RunE: func(cmd *cobra.Command, args []string) error {
			options.Tail = -1
			if tail != "all" {
				lines, err := strconv.Atoi(tail)
				if err != nil || lines < 0 {
					return command.Usage("--tail %q: must be a number of lines or \"all\"", tail)
				}
				options.Tail = lines
			}
			ctx, stop := e.UntilSignal(cmd.Context())
			defer stop()
			return e.withContainer(ctx, &l, args[0], func(c *streams.Client, id string) error {
				return c.Logs(ctx, id, options, e.Stdout)
			})
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	cmd.ValidArgsFunction = e.completeContainers(&l.Scope, false)
	cmd.Flags().BoolVarP(&options.Follow, "follow", "f", false, "follow the log output until the container exits")
	cmd.Flags().StringVarP(&tail, "tail", "n", tail, "`number` of lines to print from the end of the logs")
	return cmd
}

// oneContainer is a [cobra.PositionalArgs] for one container.
func oneContainer(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return command.Usage("requires one container, received %d; see `%s --help`", len(args), cmd.CommandPath())
	}
	return nil
}

// withContainer finds a container, and calls do with a client of its streams and its
// object's name.
func (e *env) withContainer(ctx context.Context, l *listing.Lister, name string, do func(c *streams.Client, id string) error) error {
	return e.withLister(ctx, l, func(session *appSession) error {
		container, err := l.Container(ctx, name)
		if err != nil {
			return err
		}
		c, err := streams.NewClient(session.service.Instance.ConfigFile())
		if err != nil {
			return err
		}
		session.progress.done()
		return e.withStaleness(ctx, l, do(c, container.GetName()))
	})
}

// withStaleness adds to an error why the mirrors may be stale.
func (e *env) withStaleness(ctx context.Context, l *listing.Lister, err error) error {
	if err == nil || ctx.Err() != nil || errors.As(err, new(exec.CodeExitError)) {
		return err
	}
	lines, unknown := l.Staleness(ctx)
	if unknown != nil || len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(lines, "; "))
}
