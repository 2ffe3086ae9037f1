// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli/kubectl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// globalFlags are the global flags. Each takes a value.
var globalFlags = []string{"--instance", "--log-level", "--log-format"}

// splitAt returns the global flags before the command called name and the arguments
// after it. ok reports whether args run that command. kubectl has a command tree of its
// own, which is built only if a command line uses it.
func splitAt(name string, args []string) (global, rest []string, ok bool) {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == name:
			return slices.Clone(args[:i]), args[i+1:], true
		case isGlobalFlag(args[i]):
			i++ // its value
		case !strings.HasPrefix(args[i], "-"):
			return nil, nil, false
		}
	}
	return nil, nil, false
}

func isGlobalFlag(arg string) bool { return slices.Contains(globalFlags, arg) }

// instanceFlag returns the last value of --instance among kubectl's arguments, and
// whether the flag is given.
func instanceFlag(args []string) (name string, given bool) {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--instance="); ok {
			name, given = value, true
		}
		if arg == "--instance" && i+1 < len(args) {
			name, given = args[i+1], true
		}
	}
	return name, given
}

func (e *env) ctl(ctx context.Context, args []string) int {
	var given bool
	if e.InstanceName, given = instanceFlag(args); given {
		if err := instance.CheckName(e.InstanceName); err != nil {
			return e.Exit(err)
		}
	}
	inst, err := e.Instance()
	if err != nil {
		return e.Exit(err)
	}
	e.mayCreate = inst.Name() == instance.DefaultName
	p := newProgress(e.Messages())
	svc, err := e.service(p)
	if err == nil && !worksOffline(args) {
		_, err = svc.EnsureReady(ctx)
	}
	p.done()
	if err != nil {
		return e.Exit(err)
	}
	return e.bound(svc.Instance).Run(args)
}

// bound returns kubectl for an instance.
func (e *env) bound(inst *instance.Instance) kubectl.Bound {
	return kubectl.Bound{
		Kubeconfig: inst.ConfigFile(),
		CacheDir:   inst.CacheDir(),
		Streams:    genericiooptions.IOStreams{In: os.Stdin, Out: e.Stdout, ErrOut: e.Messages()},
		Fail:       e.Fatal,
		AddFlags:   func(root *cobra.Command) { e.AddFlags(root.PersistentFlags()) },
	}
}

// worksOffline reports whether kubectl needs no API server for the arguments, as for
// its help.
func worksOffline(args []string) bool {
	first, client := "", false
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		switch {
		case args[i] == "-h" || args[i] == "--help":
			return true
		case args[i] == "--client" || args[i] == "--client=true":
			client = true
		case isGlobalFlag(args[i]):
			i++ // its value
		case first == "" && !strings.HasPrefix(args[i], "-"):
			first = args[i]
		}
	}
	switch first {
	case "", "help", "options", "completion", "kustomize":
		return true
	case "version":
		return client
	}
	return false
}

// ctlCommand and kubectlCommand represent the real commands in help and completions.
func (e *env) ctlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ctl [COMMAND]",
		Short: "Run kubectl against this instance",
		Long: `Run kubectl against the API server of this instance. rdd starts the daemon if needed and
ignores KUBECONFIG. In addition to kubectl's commands there is wait-condition, which waits
for a condition of an object that may not exist yet. ` + "`rdd ctl --help`" + ` lists all commands.`,
		Example: `  rdd ctl get containers --watch
  rdd ctl wait-condition app/app Settled`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return &command.ExitError{Code: e.ctl(cmd.Context(), args)}
		},
	}
}

func kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl [COMMAND]",
		Short: "Run kubectl against any cluster",
		Long: `kubectl for any cluster: the one that --kubeconfig, --context, --cluster, --server or
KUBECONFIG names, else that of ~/.kube/config. If there is none, the command fails, and
does not try localhost:8080. ` + "`rdd ctl`" + ` is kubectl for the API server of this instance.
A link to rdd with the name kubectl is plain kubectl.`,
		Example:            `  rdd kubectl config get-contexts`,
		DisableFlagParsing: true,
		RunE:               func(_ *cobra.Command, args []string) error { return &command.ExitError{Code: runKubectl(args)} },
	}
}

// runKubectl runs kubectl for any cluster.
func runKubectl(args []string) int {
	return kubectl.ForCluster(args, "name one with --kubeconfig, --context or --server; for the API server of this instance: `rdd "+
		strings.Join(append([]string{"ctl"}, args...), " ")+"`")
}
