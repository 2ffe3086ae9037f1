// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 5 * time.Minute
	maxPort      = 65535
)

func (e *env) serviceCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "service",
		Aliases: []string{"svc"},
		Short:   "Manage the daemon of an instance",
		Args:    noArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(
		e.createCommand(), e.serviceStartCommand(), e.serveCommand(), e.serviceStopCommand(), e.deleteCommand(),
		e.serviceStatusCommand(), e.configCommand(), e.logCommand(), e.pathsCommand(), e.resetCommand(),
	)
	e.addPlatformCommands(command)
	return command
}

// runFlags are the settings of a run of the daemon.
type runFlags struct {
	controllers string
	securePort  int
}

func (e *env) addRunFlags(command *cobra.Command, f *runFlags) {
	command.Flags().StringVar(&f.controllers, "controllers", service.DefaultControllers,
		"the controllers to run: a comma-separated `list`, read from left to right, in which a leading - takes away; of "+e.registry.Help())
	command.Flags().IntVar(&f.securePort, "secure-port", 0, "the `port` of the API server on 127.0.0.1; 0 for the instance's own")
	hideUnlessDeveloper(command, "controllers", "secure-port")
}

// check refuses settings that the daemon could not run with.
func (e *env) check(f *runFlags) error {
	if _, err := e.registry.Select(f.controllers); err != nil {
		return usageError("--controllers: %w", err)
	}
	if f.securePort < 0 || f.securePort > maxPort {
		return usageError("--secure-port: %d is no port: 0 to %d", f.securePort, maxPort)
	}
	return nil
}

func (e *env) createCommand() *cobra.Command {
	var f runFlags
	command := &cobra.Command{
		Use:   "create",
		Short: "Make the instance and save its settings",
		Args:  noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := e.check(&f); err != nil {
				return err
			}
			svc, err := e.service(newProgress(e.stderr))
			if err != nil {
				return err
			}
			created, err := svc.Create(command.Context(), instance.Settings{Controllers: f.controllers, SecurePort: f.securePort})
			if err != nil {
				return err
			}
			if created {
				e.say("Instance %s has been created.", svc.Instance.Name())
			} else {
				e.say("Instance %s exists already; nothing was changed.", svc.Instance.Name())
			}
			return nil
		},
	}
	e.addRunFlags(command, &f)
	return command
}

func (e *env) serviceStartCommand() *cobra.Command {
	var f runFlags
	wait, timeout := true, startTimeout
	command := &cobra.Command{
		Use:   "start",
		Short: "Start the daemon in the background, and make the instance if needed",
		Args:  noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := e.check(&f); err != nil {
				return err
			}
			overrides := service.Overrides{LogLevel: e.logging.Level, LogFormat: e.logging.Format}
			if command.Flags().Changed("controllers") {
				overrides.Controllers = &f.controllers
			}
			if command.Flags().Changed("secure-port") {
				overrides.SecurePort = &f.securePort
			}
			return e.serviceStart(command.Context(), overrides, wait, timeout)
		},
	}
	e.addRunFlags(command, &f)
	command.Flags().BoolVar(&wait, "wait", wait, "wait until the daemon is ready")
	command.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait")
	return command
}

func (e *env) serviceStart(ctx context.Context, overrides service.Overrides, wait bool, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := newProgress(e.stderr)
	defer p.done()
	svc, err := e.service(p)
	if err != nil {
		return err
	}
	started, err := svc.Start(ctx, overrides)
	if err != nil {
		return err
	}
	verb := "is running already"
	if started {
		verb = "has been started"
	}
	if !wait {
		p.done()
		e.say("The daemon of instance %s %s.", svc.Instance.Name(), verb)
		return nil
	}
	daemon, err := svc.WaitReady(ctx)
	if err != nil {
		return err
	}
	p.done()
	e.say("The daemon of instance %s %s (process %d, https://%s).", svc.Instance.Name(), verb, daemon.PID, daemon.Address)
	return nil
}

func (e *env) serviceStopCommand() *cobra.Command {
	wait, timeout := true, stopTimeout
	command := &cobra.Command{
		Use:   "stop",
		Short: "Stop the daemon; engines and virtual machines go on",
		Args:  noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			p := newProgress(e.stderr)
			defer p.done()
			svc, err := e.service(p)
			if err != nil {
				return err
			}
			stopped, err := svc.Stop(ctx, wait)
			if err != nil {
				return err
			}
			p.done()
			switch {
			case !stopped:
				e.say("The daemon of instance %s is not running.", svc.Instance.Name())
			case wait:
				e.say("The daemon of instance %s has been stopped.", svc.Instance.Name())
			default:
				e.say("The daemon of instance %s has been asked to stop.", svc.Instance.Name())
			}
			return nil
		},
	}
	command.Flags().BoolVar(&wait, "wait", wait, "wait until the daemon has ended")
	command.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait before the daemon is ended by force")
	return command
}

func (e *env) deleteCommand() *cobra.Command {
	timeout := stopTimeout
	command := &cobra.Command{
		Use:   "delete",
		Short: "Stop the daemon and remove the instance",
		Args:  noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			p := newProgress(e.stderr)
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
				e.say("Instance %s has been deleted.", svc.Instance.Name())
			} else {
				e.say("There is no instance %s.", svc.Instance.Name())
			}
			return nil
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for the daemon to end; it is ended by force then, and the instance stays")
	return command
}

func (e *env) resetCommand() *cobra.Command {
	timeout := stopTimeout
	command := &cobra.Command{
		Use:   "reset",
		Short: "Begin with an empty store, and the same settings",
		Long: `Replace the store by an empty one. The settings, the keys and the port stay. The
containers, images and volumes are in the engine and come back; what is lost is
the App's settings and every object that was made by hand. A daemon that runs is
stopped, and started again afterwards.`,
		Args: noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			p := newProgress(e.stderr)
			defer p.done()
			svc, err := e.service(p)
			if err != nil {
				return err
			}
			wasRunning, err := svc.Reset(ctx)
			if err != nil {
				return err
			}
			p.done()
			e.say("Instance %s has an empty store.", svc.Instance.Name())
			if wasRunning {
				return e.serviceStart(ctx, service.Overrides{}, true, startTimeout)
			}
			return nil
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for the daemon to end")
	return command
}

func (e *env) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print a kubeconfig for this instance; starts the service if needed",
		Args:  noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), startTimeout)
			defer cancel()
			p := newProgress(e.stderr)
			defer p.done()
			svc, err := e.service(p)
			if err != nil {
				return err
			}
			if _, err := svc.EnsureReady(ctx); err != nil {
				return err
			}
			p.done()
			data, err := os.ReadFile(svc.Instance.ConfigFile())
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(data)
			return err
		},
	}
}
