// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/execve"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

const shellHelp = `
The command replaces rdd: it receives the signals and the terminal, and its exit code is the
exit code of rdd. It starts in the working directory if that is mounted in the virtual
machine, else in the guest's home directory. Flags after CMD belong to the command. rdd
starts neither the daemon nor the virtual machine.`

func (e *env) shellCommand() *cobra.Command {
	var workdir string
	cmd := &cobra.Command{
		Use:   "shell [flags] [CMD [ARGUMENT...]]",
		Short: "Open a shell or run a command in the virtual machine",
		Long:  "Open a shell in the App's virtual machine, or run a command in it.\n" + shellHelp,
		Example: `  rdd shell
  rdd shell sudo journalctl --unit docker --lines 20`,
		RunE: func(cmd *cobra.Command, args []string) error { return e.shell(cmd.Context(), workdir, args) },
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVar(&workdir, "workdir", "", "working `directory` in the guest")
	return cmd
}

func (e *env) vmShellCommand() *cobra.Command {
	var workdir string
	cmd := &cobra.Command{
		Use:   "shell [flags] NAME [CMD [ARGUMENT...]]",
		Short: "Open a shell or run a command in a virtual machine",
		Long:  "Open a shell in a virtual machine, or run a command in it.\n" + shellHelp,
		Example: `  rdd limavm shell web
  rdd limavm shell web uname -a`,
		Args: vmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, words := args[:1], args[1:]
			if len(words) > 0 && words[0] == "--" { // users write -- before the command too
				words = words[1:]
			}
			err := e.shellIn(cmd.Context(), args[0], workdir, words)
			var stopped *stoppedError
			switch {
			case errors.As(err, new(*client.VMNotFoundError)):
				return fmt.Errorf("%w (`rdd limavm list` also shows virtual machines that are not created yet)", withSuggestion(err))
			case errors.As(err, &stopped):
				return fmt.Errorf("%w: start it with `rdd limavm start %s`", err, args[0])
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.ValidArgsFunction = e.completeMade(func(tool *limactl.Client, _ lima.LogFiles) []string { return tool.Names() })
	cmd.Flags().StringVar(&workdir, "workdir", "", "working `directory` in the guest")
	return cmd
}

// shell runs a command in the App's virtual machine.
func (e *env) shell(ctx context.Context, workdir string, args []string) error {
	app, known := e.knownApp(ctx)
	switch {
	case known && app == nil:
		return errors.New("there is no App and so no virtual machine: create them with `rdd start`")
	case known && app.Spec.ContainerEngine.Endpoint != "":
		return fmt.Errorf("the App has no virtual machine: its engine is at %s\n"+
			"To run a command in a container use `rdd exec CONTAINER COMMAND`, on this machine `rdd run COMMAND`, and "+
			"in a virtual machine of your own `rdd limavm shell NAME`", app.Spec.ContainerEngine.Endpoint)
	}
	err := e.shellIn(ctx, appv1alpha1.VMName, workdir, args)
	var stopped *stoppedError
	if !errors.As(err, &stopped) && !errors.As(err, new(*client.VMNotFoundError)) {
		return err
	}
	if known && app.Spec.Running {
		return fmt.Errorf("the App's virtual machine is not running: %s\nTo wait for it use `rdd start`; for details see `rdd status`", phaseOf(app))
	}
	if stopped != nil {
		return errors.New("the App's virtual machine is stopped: start it with `rdd start`")
	}
	return errors.New("the App has no virtual machine yet: create it with `rdd start`")
}

// phaseOf describes what a starting App is waiting for.
func phaseOf(app *appv1alpha1.App) string {
	for _, kind := range []string{appv1alpha1.ConditionRunning, appv1alpha1.ConditionSettled} {
		c := apimeta.FindStatusCondition(app.Status.Conditions, kind)
		if c != nil && c.Status != metav1.ConditionTrue {
			return c.Reason + ": " + c.Message
		}
	}
	return "it is starting"
}

// knownApp returns the App, nil if it does not exist. known is false if no daemon
// answered.
func (e *env) knownApp(ctx context.Context) (app *appv1alpha1.App, known bool) {
	e.whileRunning(ctx, func(ctx context.Context, c ctrlclient.WithWatch) {
		found := &appv1alpha1.App{}
		switch err := c.Get(ctx, ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, found); {
		case err == nil:
			app, known = found, true
		case apierrors.IsNotFound(err):
			known = true
		}
	})
	return app, known
}

// stoppedError reports a virtual machine that is not running.
type stoppedError struct{ name string }

func (e *stoppedError) Error() string {
	return fmt.Sprintf("virtual machine %s is stopped", e.name)
}

// shellIn replaces this process with a command in a virtual machine. The error may be
// a [*client.VMNotFoundError] or a [*stoppedError].
func (e *env) shellIn(ctx context.Context, name, workdir string, args []string) error {
	tool, _, err := e.machines()
	if err != nil {
		return err
	}
	if names := tool.Names(); !slices.Contains(names, name) {
		return &client.VMNotFoundError{Name: name, Names: names}
	}
	if tool.Path, err = limactl.ThisMachine().Find(); err != nil {
		return err
	}
	vm, err := tool.Get(ctx, name)
	if err != nil {
		return err
	}
	if err := checkBooted(tool, vm); err != nil {
		return err
	}
	if workdir == "" {
		here, err := os.Getwd()
		if err != nil {
			here = "" // the working directory was removed
		}
		workdir = vm.GuestDir(here)
	}
	environ := execve.Environment(os.Environ(), map[string]string{limactl.HomeEnv: tool.Home})
	code, err := execve.Exec(tool.Path, tool.ShellArgs(name, workdir, args), environ)
	if failed := (*execve.Error)(nil); errors.As(err, &failed) {
		return &command.ExitError{Code: failed.Code, Message: fault.Prefix + failed.Error()}
	}
	if err == nil && code != 0 {
		err = &command.ExitError{Code: code}
	}
	return err
}

// checkBooted refuses a virtual machine that is stopped or still booting. A host agent
// that is not running does not matter.
func checkBooted(tool *limactl.Client, vm limactl.Instance) error {
	if tool.Processes(vm.Name).Driver.PID == 0 && vm.Status != limactl.Running {
		return &stoppedError{vm.Name}
	}
	if vm.Status != limactl.Running {
		return nil
	}
	events, boot := tool.Events(vm.Name), tool.Boot(vm.Name)
	defer events.Close()
	defer boot.Close()
	state, err := events.State()
	if err != nil || state.Ready {
		return err
	}
	return fmt.Errorf("virtual machine %s is still booting (%d%%, %s): to watch its console use `rdd limavm log %[1]s --serial --follow`",
		vm.Name, boot.Stage().Percent, boot.Stage().Message)
}
