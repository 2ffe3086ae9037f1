// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/kubectl"
)

// globalFlags take a value each.
var globalFlags = []string{"--instance", "--log-level", "--log-format"}

// ctlArgs returns the arguments of `rdd ctl`, global flags before it included,
// and whether the command is that one. kubectl is a tree of commands of its
// own, which is made only for it.
func ctlArgs(args []string) ([]string, bool) {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "ctl":
			return append(append([]string{}, args[:i]...), args[i+1:]...), true
		case isGlobalFlag(args[i]):
			i++ // its value
		case !strings.HasPrefix(args[i], "-"):
			return nil, false
		}
	}
	return nil, false
}

func isGlobalFlag(arg string) bool {
	for _, flag := range globalFlags {
		if arg == flag {
			return true
		}
	}
	return false
}

// instanceFlag returns the value of --instance among kubectl's arguments, the
// last one where there are several.
func instanceFlag(args []string) string {
	name := ""
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--instance="); ok {
			name = value
		}
		if arg == "--instance" && i+1 < len(args) {
			name = args[i+1]
		}
	}
	return name
}

func (e *env) ctl(ctx context.Context, args []string) int {
	e.InstanceName = instanceFlag(args)
	p := newProgress(e.Stderr)
	svc, err := e.service(p)
	if err == nil {
		_, err = svc.EnsureReady(ctx)
	}
	p.done()
	if err != nil {
		_, _ = fmt.Fprintf(e.Stderr, "%s%v\n", fault.Prefix, err)
		return fault.ExitCode(err)
	}
	bound := kubectl.Bound{
		Kubeconfig: svc.Instance.ConfigFile(),
		CacheDir:   svc.Instance.CacheDir(),
		Streams:    genericiooptions.IOStreams{In: os.Stdin, Out: e.Stdout, ErrOut: e.Stderr},
		AddFlags:   func(root *cobra.Command) { e.AddFlags(root.PersistentFlags()) },
	}
	return bound.Run(args)
}

// ctlCommand and kubectlCommand stand for the real ones in the help and in
// completions.
func (e *env) ctlCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "ctl",
		Short:              "kubectl for this instance, with wait-condition; starts the service if needed",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return &command.ExitError{Code: e.ctl(cmd.Context(), args)}
		},
	}
}

func kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl",
		Short:              "Plain kubectl",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return &command.ExitError{Code: kubectl.Main(args)}
		},
	}
}
