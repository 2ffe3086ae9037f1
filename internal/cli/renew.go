// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

func (e *env) resetCommand() *cobra.Command {
	timeout, q := stopTimeout, question{}
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Replace the store with an empty one",
		Long: `Replace the store with an empty one, and the administrator's token with a new one. The
instance keeps its settings, its port and its valid certificates. The App's settings and
all objects that you created are lost. Containers, images and volumes stay in the engine,
and are mirrored again after the next ` + "`rdd start`" + `.

The command lists what it will delete, and asks for confirmation. It restarts a running
daemon.`,
		Example: `  rdd service reset

  # In a script
  rdd service reset --yes`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			if exists, err := inst.Exists(); err != nil || !exists {
				if err == nil {
					e.Say("Instance %s does not exist.", inst.Name())
				}
				return err
			}
			if err := e.ask(cmd, q, (*inventory.Inventory).WithStore); err != nil {
				return err
			}
			return e.renew(cmd.Context(), timeout, (*service.Service).Reset, "Instance %s has an empty store and a new token.")
		},
	}
	addYesFlag(cmd, &q)
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the daemon to stop")
	return cmd
}

func (e *env) rotateCommand() *cobra.Command {
	timeout := stopTimeout
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the token and the certificates",
		Long: `Replace the administrator's token, the certificates, and the key that signs service account
tokens, for example after a kubeconfig has leaked. The command rewrites the instance's
kubeconfig. It restarts a running daemon, which closes all connections with the old token.
Objects, settings and the port do not change; containers and virtual machines keep running,
and Docker contexts keep working.

Afterwards replace copies of the kubeconfig (` + "`rdd service config --file FILE`" + `), request
new service account tokens, and restart controllers that run outside the daemon.`,
		Example: `  rdd service rotate`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.renew(cmd.Context(), timeout, (*service.Service).Rotate,
				"Instance %s has a new token and new certificates. Copies of its kubeconfig are no longer valid: replace them with `rdd service config --file FILE`.")
		},
	}
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the daemon to stop")
	return cmd
}

// renew stops the daemon, calls replace, and starts the daemon again if it was running.
func (e *env) renew(
	ctx context.Context, timeout time.Duration,
	replace func(*service.Service, context.Context) (*service.Overrides, error), done string,
) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := newProgress(e.Messages())
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return err
	}
	ran, err := replace(svc, limited)
	if err != nil {
		return err
	}
	p.done()
	e.Say(done, svc.Instance.Name())
	if ran == nil {
		return nil
	}
	err = e.serviceStart(ctx, *ran, true, startTimeout)
	if errors.Is(err, service.ErrStopped) && ctx.Err() == nil {
		err = e.serviceStart(ctx, *ran, true, startTimeout) // a concurrent reset or rotate stopped it
	}
	return err
}
