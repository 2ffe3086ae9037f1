// SPDX-License-Identifier: Apache-2.0

// Package kubectl embeds kubectl: unmodified, and bound to one instance of RDD with
// additional commands.
package kubectl

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/plugin"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	_ "github.com/rancher-sandbox/rancher-desktop-daemon/internal/importorder/english" // skips loading translations
)

const (
	discoveryBurst = 300
	discoveryQPS   = 50

	// waitTimeout is the beginning of kubectl's error for a wait that timed out.
	waitTimeout = "timed out waiting for"
)

// Main runs the unmodified kubectl with args. It returns the exit code, or exits with
// it.
func Main(args []string) int { return run(args, configFlags()) }

func run(args []string, flags *genericclioptions.ConfigFlags) int {
	os.Args = append([]string{"kubectl"}, args...)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	command := cmd.NewDefaultKubectlCommandWithArgs(cmd.KubectlOptions{
		PluginHandler: cmd.NewDefaultPluginHandler(plugin.ValidPluginFilenamePrefixes),
		Arguments:     os.Args,
		ConfigFlags:   flags.WithWarningPrinter(streams),
		IOStreams:     streams,
	})
	if err := cli.RunNoErrOutput(command); err != nil {
		cmdutil.CheckErr(err)
	}
	return fault.ExitOK
}

func configFlags() *genericclioptions.ConfigFlags {
	return genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().
		WithDiscoveryBurst(discoveryBurst).WithDiscoveryQPS(discoveryQPS)
}

// Bound is kubectl bound to one instance.
type Bound struct {
	// Kubeconfig is the instance's kubeconfig; KUBECONFIG is ignored.
	Kubeconfig string
	// CacheDir is kubectl's discovery cache.
	CacheDir string
	Streams  genericiooptions.IOStreams
	// Fail prints the last message of a run that fails.
	Fail func(message string, exitCode int)
	// AddFlags adds RDD's global flags, which rdd has already parsed.
	AddFlags func(*cobra.Command)
}

// Run runs kubectl with the arguments and returns the exit code, or exits with
// it, by the rules of package fault.
func (b Bound) Run(args []string) int {
	// `ctl config` ignores the flags, and must not change the user's kubeconfig.
	_ = os.Setenv("KUBECONFIG", b.Kubeconfig)
	flags := configFlags().WithWarningPrinter(b.Streams)
	flags.KubeConfig, flags.CacheDir = &b.Kubeconfig, &b.CacheDir
	var refused atomic.Bool
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return refusalRecorder{next, &refused} })
		return config
	}
	root := cmd.NewKubectlCommand(cmd.KubectlOptions{ConfigFlags: flags, IOStreams: b.Streams})
	root.Use = "ctl"
	root.Short = "kubectl for this instance of RDD"
	root.AddCommand(newWaitCondition(flags, b.Streams))
	b.AddFlags(root)
	presetPrune(root)
	root.SetArgs(args)

	// kubectl calls this on a fatal error, anywhere.
	cmdutil.BehaviorOnFatal(func(message string, code int) {
		code = exitCode(message, code, refused.Load())
		if message != "" {
			b.Fail(strings.TrimSuffix(message, "\n"), code)
		}
		os.Exit(code)
	})
	err := cli.RunNoErrOutput(root)
	if err == nil {
		return fault.ExitOK
	}
	code := fault.ExitUsage // cobra rejected the arguments
	var own *fault.Error
	if errors.As(err, &own) {
		code = fault.ExitCode(err)
	}
	b.Fail("error: "+err.Error(), code)
	return code
}

// exitCode replaces kubectl's exit code 1, which stands for any failure, with a more
// specific one.
func exitCode(message string, code int, refused bool) int {
	switch {
	case code != fault.ExitFailed:
		return code
	case strings.Contains(message, waitTimeout):
		return fault.ExitDeadline
	case refused:
		return fault.ExitRefused
	}
	return code
}

// refusalRecorder records that the API server refused a request.
type refusalRecorder struct {
	next    http.RoundTripper
	refused *atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (r refusalRecorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err == nil && fault.RefusedStatus(response.StatusCode) {
		r.refused.Store(true)
	}
	return response, err
}
