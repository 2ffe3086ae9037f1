// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/acts"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

func containerObjects() *objectKind {
	return &objectKind{
		name: "container",
		find: func(ctx context.Context, l *listing.Lister, name string) ([]client.Object, error) {
			found, err := l.Container(ctx, name)
			return []client.Object{found}, err
		},
		removable: func(objects []client.Object) error {
			return acts.CheckRemovable(objects[0].(*containersv1alpha1.Container))
		},
		complete: func(e *env, scope *listing.Scope) cobra.CompletionFunc { return e.completeContainers(scope, false) },
	}
}

// containerCommand is the group of commands with Docker's names.
func (e *env) containerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "container", Short: "List, start, stop and remove containers", Example: "  rdd container ls\n  rdd container start web db", Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		under("container ls", "ps", e.psCommand("ls", "list", "ps")),
		e.actCommand(containersv1alpha1.ActionStart, "Start one or more stopped containers"),
		e.actCommand(containersv1alpha1.ActionStop, "Stop one or more running containers"),
		e.actCommand(containersv1alpha1.ActionRestart, restartShort),
		e.actCommand(containersv1alpha1.ActionPause, pauseShort),
		e.actCommand(containersv1alpha1.ActionUnpause, unpauseShort),
		e.removeCommand(containerObjects(), "rm", "remove"), e.inspectCommand(containerObjects()), e.waitCommand(),
	)
	return cmd
}

const (
	restartShort = "Restart one or more containers"
	pauseShort   = "Pause one or more running containers"
	unpauseShort = "Continue one or more paused containers"
)

// shortForms are commands that Docker has without a group, too.
func (e *env) shortForms() []*cobra.Command {
	return []*cobra.Command{
		under("restart", "container restart", e.actCommand(containersv1alpha1.ActionRestart, restartShort)),
		under("pause", "container pause", e.actCommand(containersv1alpha1.ActionPause, pauseShort)),
		under("unpause", "container unpause", e.actCommand(containersv1alpha1.ActionUnpause, unpauseShort)),
		under("rm", "container rm", e.removeCommand(containerObjects(), "rm")),
		under("rmi", "image rm", e.removeCommand(imageObjects(), "rmi")),
		under("inspect", "container inspect", e.inspectCommand(containerObjects())),
	}
}

// actCommand requests an action of containers, and waits for the engine's answers.
func (e *env) actCommand(action containersv1alpha1.Action, short string) *cobra.Command {
	var l listing.Lister
	cmd := &cobra.Command{
		Use:   string(action) + " CONTAINER...",
		Short: short,
		Long: short + `, and wait until the engine has done so. CONTAINER is a
container's name or the beginning of its ID, or ENGINE/NAME.`,
		Example: fmt.Sprintf("  rdd container %s web\n  rdd container %[1]s moby/web 3f2a", action),
		Args:    someNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.eachName(cmd, &l, args, func(ctx context.Context, a *appSession, name string) (string, error) {
				found, err := l.Container(ctx, name)
				if err != nil {
					return "", err
				}
				return printable.Text(name, 0), acts.Act(ctx, a.client, found, action)
			})
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	cmd.ValidArgsFunction = e.completeContainers(&l.Scope, false)
	return cmd
}

// waitCommand waits for the end of containers.
func (e *env) waitCommand() *cobra.Command {
	var l listing.Lister
	cmd := &cobra.Command{
		Use:     "wait CONTAINER...",
		Short:   "Wait until containers exit, and print their exit codes",
		Example: "  rdd container wait job",
		Args:    someNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.eachName(cmd, &l, args, func(ctx context.Context, a *appSession, name string) (string, error) {
				found, err := l.Container(ctx, name)
				if err != nil {
					return "", err
				}
				code, err := acts.Wait(ctx, a.client, found)
				return strconv.Itoa(int(code)), err
			})
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	cmd.ValidArgsFunction = e.completeContainers(&l.Scope, false)
	return cmd
}
