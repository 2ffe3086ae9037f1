// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
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
		Short: "Begin with an empty store, and the same settings",
		Long: `Replace the store by an empty one, and the administrator's token by a new one. The
settings and the port stay, and the certificates that are valid. The containers, images
and volumes are in the engine and come back; what is lost is the App's settings and
every object that was made by hand. A daemon that runs is stopped, and started again
afterwards. The command says what goes, and asks.`,
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
					e.Say("There is no instance %s.", inst.Name())
				}
				return err
			}
			if err := e.ask(cmd, q, (*inventory.Inventory).WithStore); err != nil {
				return err
			}
			return e.renew(cmd.Context(), timeout, (*service.Service).Reset, "Instance %s has an empty store, and a new token.")
		},
	}
	addYesFlag(cmd, &q)
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the daemon to end")
	return cmd
}

func (e *env) rotateCommand() *cobra.Command {
	timeout := stopTimeout
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the token and the certificates",
		Long: `Replace the administrator's token, the certificates, and the key that signs the tokens
of service accounts, as after a kubeconfig was seen by others. The instance's kubeconfig
is rewritten; the objects, the settings and the port stay. A daemon that runs is stopped
and started again, so that every connection by the old token ends; containers and virtual
machines go on, and so do Docker's contexts.

Copies of the kubeconfig must be made anew (` + "`rdd service config --file FILE`" + `), tokens of
service accounts must be requested anew, and programs that run controllers elsewhere
end and must be started again.`,
		Example: `  rdd service rotate`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.renew(cmd.Context(), timeout, (*service.Service).Rotate,
				"Instance %s has a new token and new certificates. Copies of its kubeconfig are void: make them anew with `rdd service config --file FILE`.")
		},
	}
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the daemon to end")
	return cmd
}

// renew replaces something that the daemon must not use at that time, and starts it again
// as it ran.
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
	if err = e.serviceStart(ctx, *ran, true, startTimeout); err == nil || ctx.Err() != nil {
		return err
	}
	// Another command of this kind may have stopped the daemon that was starting.
	return e.serviceStart(ctx, *ran, true, startTimeout)
}
