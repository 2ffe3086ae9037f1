// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/shellvars"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// kubeconfigEnv is the variable with the kubeconfigs of Kubernetes' clients.
const kubeconfigEnv = "KUBECONFIG"

func (e *env) envCommand() *cobra.Command {
	var shell, output string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment for clients of this instance",
		Long: `Print the lines with which a shell sets DOCKER_HOST, DOCKER_CONTEXT and KUBECONFIG for
this instance, so that docker, and clients of Docker's API and of Kubernetes', use it.
Variables that would lead them elsewhere are taken away. Nothing is started. To run
one command that way, ` + "`rdd run`" + ` is simpler.`,
		Example: `  eval "$(rdd env)"
  rdd env --shell fish | source
  rdd env --output json`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case shell == "":
				shell = shellvars.Guess(os.Getenv)
			case !shellvars.Known(shell):
				return command.Usage("--shell: unknown shell %q: %s", shell, strings.Join(shellvars.Shells(), ", "))
			}
			if err := checkOutput(output); err != nil {
				return err
			}
			inst, err := e.Instance()
			if err != nil {
				return err
			}
			return e.printEnv(cmd.Context(), inst, shell, output)
		},
	}
	cmd.Flags().StringVar(&shell, "shell", "", "the `shell`: bash (for zsh and sh, too), fish, powershell or cmd (default: by SHELL)")
	completeFlag(cmd, "shell", fixed(shellvars.Shells()...))
	addOutputFlag(cmd, &output)
	return cmd
}

func (e *env) printEnv(ctx context.Context, inst *instance.Instance, shell, output string) error {
	values := e.clientVariables(ctx, inst)
	if output != "" {
		set := maps.Clone(values)
		maps.DeleteFunc(set, func(_, value string) bool { return value == "" })
		return printAs(e.Stdout, output, set)
	}
	var variables []shellvars.Variable
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, isSet := os.LookupEnv(name); isSet || values[name] != "" {
			variables = append(variables, shellvars.Variable{Name: name, Value: values[name]})
		}
	}
	program := "rdd"
	if e.InstanceName != "" {
		program += " --instance " + e.InstanceName
	}
	e.print(shellvars.Script(shell, variables) + shellvars.Usage(shell, program+" env"))
	return nil
}

// clientVariables returns the variables that lead clients to an instance, as far as is
// known without a daemon.
func (e *env) clientVariables(ctx context.Context, inst *instance.Instance) map[string]string {
	app, _ := e.knownApp(ctx)
	if app == nil {
		app = lastKnown(inst)
	}
	values := dockerVariables(inst, app)
	values[kubeconfigEnv] = inst.ConfigFile()
	return values
}

// lastKnown returns an App with what Docker's context tells of an instance whose daemon
// does not answer: the context stays while the daemon is stopped.
func lastKnown(inst *instance.Instance) *appv1alpha1.App {
	socket := endpoint.ForSocket(inst.DockerSocket())
	app := &appv1alpha1.App{}
	app.Spec.ContainerEngine.Endpoint = socket
	dir, err := dockercontext.Dir(os.Getenv)
	if err != nil {
		return app
	}
	host := dockercontext.Observe(dir, inst.ContextName(), inst.ContextMemory()).Host
	switch host {
	case "":
		return app
	case socket:
		app.Spec.ContainerEngine.Endpoint = "" // the virtual machine's
	default:
		app.Spec.ContainerEngine.Endpoint = host
	}
	app.Status.DockerSocket, app.Status.DockerContext = host, inst.ContextName()
	return app
}
