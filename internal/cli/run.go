// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/execve"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/habits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

func (e *env) runCommand() *cobra.Command {
	timeout := settleTimeout
	cmd := &cobra.Command{
		Use:   "run [flags] CMD [ARGUMENT...]",
		Short: "Run a command that uses this instance's engine",
		Long: `Run a command whose Docker clients use this instance's engine. rdd sets DOCKER_HOST and
DOCKER_CONTEXT, sets DOCKER_TLS_VERIFY and DOCKER_CERT_PATH if the engine requires TLS, and
puts the instance's programs first in PATH. It removes your own values of these and of
other variables that select an engine, such as CONTAINER_HOST. If the engine is not running,
rdd starts it as ` + "`rdd start`" + ` does.

For an ssh:// endpoint only the docker command works: Docker client libraries, such as the
one in Testcontainers, do not support ssh.

The command replaces rdd: it receives the signals and the terminal, and its exit code is the
exit code of rdd. The exit code is 127 if the command is not found, and 126 if it can't be
executed. Flags after CMD belong to the command.`,
		Example: `  rdd run docker ps --all

  # Open a shell in which docker uses this engine
  rdd run bash

  # Run tests that use Testcontainers
  rdd run go test ./...`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usage("requires a command; see `%s --help`", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := e.run(cmd.Context(), timeout, args)
			var failed *execve.Error
			if errors.As(err, &failed) {
				if failed.Code == execve.ExitNotFound {
					failed.Err = fmt.Errorf("%w; to run a container: `rdd docker run %s`", failed.Err, habits.Quoted(args))
				}
				return &command.ExitError{Code: failed.Code, Message: fault.Prefix + failed.Error()}
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.ValidArgsFunction = e.completePrograms
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the engine before exiting with code 4")
	return cmd
}

func (e *env) run(ctx context.Context, timeout time.Duration, args []string) error {
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	path := execve.PrependPath(inst.BinDir(), os.Getenv("PATH"))
	// Fail before anything is started.
	program, err := execve.Find(args[0], path)
	if err != nil {
		return err
	}
	var variables map[string]string
	err = e.withApp(ctx, timeout, func(a *appSession) error {
		app, err := a.running()
		if err != nil {
			return err
		}
		variables = dockerVariables(inst, app)
		return nil
	})
	if err != nil {
		return err
	}
	if note := unreachable(variables, program); note != "" {
		e.Say("rdd: %s", printable.Text(note, 1<<10))
	}
	variables["PATH"] = path
	code, err := execve.Exec(program, args, execve.Environment(os.Environ(), variables))
	if err == nil && code != 0 {
		err = &command.ExitError{Code: code}
	}
	return err
}

// running returns the App, after starting it if it is not running.
func (a *appSession) running() (*appv1alpha1.App, error) {
	app, err := a.client.App(a.ctx)
	if err != nil {
		return nil, err
	}
	if app != nil && app.Spec.Running && app.Status.ObservedGeneration == app.Generation &&
		apimeta.IsStatusConditionTrue(app.Status.Conditions, appv1alpha1.ConditionSettled) {
		return app, nil
	}
	if err := a.start(map[string]any{}, true); err != nil {
		return nil, err
	}
	app, err = a.client.App(a.ctx)
	if err == nil && app == nil {
		err = errors.New("the App was deleted during the wait")
	}
	return app, err
}
