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
		Short: "Run a command for which docker means this instance's engine",
		Long: `Run a command for which docker, and every other client of Docker's API, means the
engine of this instance: with DOCKER_HOST and DOCKER_CONTEXT for it, DOCKER_TLS_VERIFY
and DOCKER_CERT_PATH if the engine wants TLS, and the programs of the instance first in
PATH. Your own values of these, and of other variables that lead to an engine, such as
CONTAINER_HOST, don't reach the command. What is not running yet is started, as by
` + "`rdd start`" + `.

An engine at ssh:// is reached by the docker command only: libraries for Docker's API,
and so Testcontainers, don't speak ssh.

The command takes the place of rdd: signals, the terminal and the exit code are its
own. The exit code is 127 where there is no such command, and 126 where it can't
be run. Flags after CMD are those of the command.`,
		Example: `  rdd run docker ps --all

  # A shell in which docker means this engine
  rdd run bash

  # Tests that use Testcontainers
  rdd run go test ./...`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usage("a command is needed; see `%s --help`", cmd.CommandPath())
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
	command.Timeout(cmd.Flags(), &timeout, "how long to wait for the engine; the exit code is 4 when it is over")
	return cmd
}

func (e *env) run(ctx context.Context, timeout time.Duration, args []string) error {
	inst, err := e.Instance()
	if err != nil {
		return err
	}
	path := execve.PrependPath(inst.BinDir(), os.Getenv("PATH"))
	// Before anything is started for it.
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

// running returns the App, which is started first where it is not running.
func (a *appSession) running() (*appv1alpha1.App, error) {
	app, err := a.app().Get(a.ctx)
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
	app, err = a.app().Get(a.ctx)
	if err == nil && app == nil {
		err = errors.New("the App was deleted during the wait")
	}
	return app, err
}
