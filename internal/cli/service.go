// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/inventory"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 5 * time.Minute
)

func (e *env) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "service",
		Aliases: []string{"svc"},
		Short:   "Manage the daemon of an instance",
		Long: `Manage the daemon of an instance: the API server, its store and the controllers. Other
commands start it when needed. Containers keep running without it.`,
		Example: `  rdd service start
  rdd service log --follow`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	create, start, serve, config := e.createCommand(), e.serviceStartCommand(), e.serveCommand(), e.configCommand()
	enable, disable := e.enableCommand(), e.disableCommand()
	stop, remove, reset := e.serviceStopCommand(), e.deleteCommand(), e.resetCommand()
	status, paths := e.serviceStatusCommand(), e.pathsCommand()
	absent(createsInstance, create, start, serve)
	absent(createsDefault, config)
	absent(reportsAbsence, stop, remove, reset, status, paths, disable)
	cmd.AddCommand(create, start, serve, stop, remove, status, config, e.logCommand(), paths, reset, e.rotateCommand(), enable, disable)
	e.addPlatformCommands(cmd)
	return cmd
}

// runFlags are the settings of a run of the daemon.
type runFlags struct {
	controllers string
	securePort  int
}

func (e *env) addRunFlags(cmd *cobra.Command, f *runFlags) {
	cmd.Flags().StringVar(&f.controllers, "controllers", service.DefaultControllers,
		"comma-separated `list` of controllers to run, evaluated from left to right; a leading - removes a controller: "+e.registry.Help())
	cmd.Flags().IntVar(&f.securePort, "secure-port", 0, "`port` of the API server on 127.0.0.1; 0 for the instance's default")
	hideUnlessDeveloper(cmd, "controllers", "secure-port")
}

// check refuses invalid settings.
func (e *env) check(f *runFlags) error {
	if _, err := e.registry.Select(f.controllers); err != nil {
		return command.Usage("--controllers: %w", err)
	}
	return command.CheckPort("secure-port", f.securePort)
}

func (e *env) createCommand() *cobra.Command {
	var f runFlags
	var d datastoreFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create the instance and save its settings",
		Long: `Create the instance and save its settings. The instance stores its objects in a file, or in
the datastore at the given endpoint. An endpoint usually contains a password: pass it in a
file that only you can read, or in ` + datastore.EndpointEnv + `, because all users of this
machine can read the command lines of all processes.`,
		Example: `  rdd --instance work service create
  rdd --instance team service create --datastore-endpoint-file ~/.config/rdd-datastore`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.check(&f); err != nil {
				return err
			}
			endpoint, err := e.datastore(cmd.Flags(), &d)
			if err != nil {
				return err
			}
			svc, err := e.service(newProgress(e.Messages()))
			if err != nil {
				return err
			}
			created, err := svc.Create(cmd.Context(), instance.Settings{
				Controllers: f.controllers, SecurePort: f.securePort, Datastore: endpoint,
				LogLevel: cmp.Or(e.Logging.Level, os.Getenv(logging.LevelEnv)),
			})
			if err != nil {
				return err
			}
			if created {
				e.Say("Created instance %s.", svc.Instance.Name())
			} else {
				e.Say("Instance %s already exists: nothing was changed.", svc.Instance.Name())
			}
			return nil
		},
	}
	e.addRunFlags(cmd, &f)
	addDatastoreFlags(cmd, &d)
	return cmd
}

func (e *env) serviceStartCommand() *cobra.Command {
	var f runFlags
	wait, timeout := true, startTimeout
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Start the daemon in the background",
		Long: `Start the daemon in the background, and wait until it is ready. The command creates the
instance if it does not exist. It replaces a running daemon of another version.`,
		Example: `  rdd service start`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.check(&f); err != nil {
				return err
			}
			overrides := service.Overrides{LogLevel: e.Logging.Level, LogFormat: e.Logging.Format}
			if cmd.Flags().Changed("controllers") {
				overrides.Controllers = &f.controllers
			}
			if cmd.Flags().Changed("secure-port") {
				overrides.SecurePort = &f.securePort
			}
			return e.serviceStart(cmd.Context(), overrides, wait, timeout)
		},
	}
	e.addRunFlags(cmd, &f)
	cmd.Flags().BoolVar(&wait, "wait", wait, "wait until the daemon is ready")
	command.Timeout(cmd.Flags(), &timeout, "how long to wait")
	return cmd
}

func (e *env) serviceStart(ctx context.Context, overrides service.Overrides, wait bool, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := newProgress(e.Messages())
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return err
	}
	started, err := svc.Start(ctx, overrides)
	if err != nil {
		return err
	}
	verb := "is already running"
	switch {
	case svc.Replaced != "":
		verb = "has replaced the daemon of rdd " + svc.Replaced
	case started:
		verb = "has been started"
	}
	if !wait {
		p.done()
		e.Say("The daemon of instance %s %s.", svc.Instance.Name(), verb)
		return nil
	}
	daemon, err := svc.WaitReady(ctx)
	if err != nil {
		return stillStarting(svc, err)
	}
	p.done()
	e.Say("The daemon of instance %s %s (process %d, https://%s).", svc.Instance.Name(), verb, daemon.PID, daemon.Address)
	return nil
}

// stillStarting adds to the error of a wait that the daemon is still starting, if it is. A
// slow start is not undone, because the next one would take as long.
func stillStarting(svc *service.Service, err error) error {
	daemon, gone := svc.Instance.Daemon()
	if gone != nil || daemon == nil || daemon.Stopping || fault.KindOf(err) == fault.Version {
		return err
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf(
		"%w; the daemon (process %d) is still starting: see `rdd service status`, or stop it with `rdd service stop`", err, daemon.PID))
}

func (e *env) serviceStopCommand() *cobra.Command {
	wait, timeout := true, stopTimeout
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the daemon",
		Long: `Stop the daemon. Engines and virtual machines keep running. If the daemon does not stop
within the timeout, the command kills it.`,
		Example: `  rdd service stop`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			p := newProgress(e.Messages())
			defer p.done()
			svc, err := e.service(p)
			if err != nil {
				return err
			}
			stopped, err := svc.Stop(ctx, wait)
			if err != nil {
				return err
			}
			exists, err := svc.Instance.Exists()
			if err != nil {
				return err
			}
			p.done()
			switch {
			case !stopped && !exists:
				e.Say("Instance %s does not exist: its daemon is not running.", svc.Instance.Name())
			case !stopped:
				e.Say("The daemon of instance %s is not running.", svc.Instance.Name())
			case wait:
				e.Say("The daemon of instance %s has been stopped.", svc.Instance.Name())
			default:
				e.Say("The daemon of instance %s is stopping.", svc.Instance.Name())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", wait, "wait until the daemon has stopped")
	command.Timeout(cmd.Flags(), &timeout, "how long to wait before killing the daemon")
	return cmd
}

func (e *env) deleteCommand() *cobra.Command {
	timeout, q := stopTimeout, question{scripts: true}
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Stop the daemon and delete the instance",
		Long: `Stop the daemon, and delete the instance with all objects and virtual machines, including
their disks. The command lists what it will delete, and asks for confirmation. Without a
terminal it requires --yes only if the instance has a virtual machine.`,
		Example: `  rdd --instance work service delete

  # In a script
  rdd --instance work service delete --yes`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.ask(cmd, q, (*inventory.Inventory).WithInstance); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			p := newProgress(e.Messages())
			defer p.done()
			svc, err := e.service(p)
			if err != nil {
				return err
			}
			deleted, err := svc.Delete(ctx, instance.KeepLogs())
			if err != nil {
				return err
			}
			p.done()
			if deleted {
				e.Say("Deleted instance %s.", svc.Instance.Name())
			} else {
				e.Say("Instance %s does not exist.", svc.Instance.Name())
			}
			return nil
		},
	}
	addYesFlag(cmd, &q)
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the daemon to stop; after that the daemon is killed, and the instance is kept")
	return cmd
}
