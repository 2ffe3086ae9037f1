// SPDX-License-Identifier: Apache-2.0

// Package standalone runs the controllers of one API group in a process of their
// own: it waits for the control plane, has a port for admission, passthrough and
// metrics, and keeps its entry in the discovery. [Main] is the command line of the
// programs that do so.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

const (
	patience        = 30 * time.Second
	poll            = 200 * time.Millisecond
	loopbackAddress = "127.0.0.1"
)

// Main runs the controllers of an API group in the registry, and returns the exit code.
func Main(ctx context.Context, registry manager.Registry, group string, args []string) int {
	base := command.New()
	root := newCommand(base, registry, group)
	root.SetArgs(args[1:])
	return base.Exit(root.ExecuteContext(ctx))
}

func newCommand(base *command.Base, registry manager.Registry, group string) *cobra.Command {
	name := group + "-controller"
	names := strings.Join(manager.Names(registry.Group(group)), ", ")
	run := Config{Group: group, Registry: registry, Say: base.Say}
	var kubeconfig string
	root := &cobra.Command{
		Use:   name,
		Short: "Run the controllers of the API group " + group + " in a process of their own",
		Long: fmt.Sprintf(`%s runs the controllers of the API group %s
(%s)
until SIGINT or SIGTERM, or until the control plane is deleted. It serves an
instance of RDD, or any other Kubernetes API server that a kubeconfig names. If
another process runs a controller, this one waits for it to exit. To keep the
daemon from running these controllers: rdd service start --controllers '*,-%s'`, name, group, names, group),
		Version:       version.RDD() + " (Kubernetes " + version.Kubernetes() + ")",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if run.Log, err = base.Logger(); err != nil {
				return err
			}
			if err := errors.Join(command.CheckPort("port", run.Port), command.CheckPort("health-port", run.HealthPort)); err != nil {
				return err
			}
			inst, err := base.Instance()
			if err != nil {
				return err
			}
			run.Registry = manager.Bind(registry, inst)
			ctx, stop := base.UntilSignal(cmd.Context())
			defer stop()
			if err = connect(ctx, base, kubeconfig, &run); err == nil {
				err = run.Run(ctx)
			}
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil // interrupted while it was waiting
			}
			return err
		},
	}
	flags := root.Flags()
	base.AddFlags(flags)
	flags.StringVar(&kubeconfig, "kubeconfig", "", "the kubeconfig `file` of the API server (default: the instance's)")
	flags.BoolVar(&run.NoWait, "no-wait", false, "fail if another process runs one of the controllers")
	run.Patience = patience
	command.Timeout(flags, &run.Patience, "how long to wait for the control plane to be ready")
	flags.StringVar(&run.Bind, "bind-address", loopbackAddress, "the `address` to listen on")
	flags.StringVar(&run.Advertise, "advertise-address", loopbackAddress, "the `address` at which the API server reaches this process")
	flags.IntVar(&run.Port, "port", 0, "the `port` for admission, passthrough and metrics; 0 for a free one")
	flags.IntVar(&run.HealthPort, "health-port", 0, "the `port` for health checks; 0 for a free one")
	root.SetFlagErrorFunc(command.FlagError)
	return root
}

// connect configures the connection to the API server of the kubeconfig, or to the
// instance's if kubeconfig is empty.
func connect(ctx context.Context, base *command.Base, kubeconfig string, run *Config) error {
	var err error
	if kubeconfig == "" {
		if run.Instance, err = base.Instance(); err != nil {
			return err
		}
		kubeconfig = run.Instance.ConfigFile()
		if err := awaitFile(ctx, base, kubeconfig, run.Patience); err != nil {
			return err
		}
	}
	if run.REST, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return fault.New(fault.Failed, "read the kubeconfig", kubeconfig, err)
	}
	return nil
}

// awaitFile waits for the kubeconfig of an instance that is being created.
func awaitFile(ctx context.Context, base *command.Base, path string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for reported := false; ; reported = true {
		_, err := os.Stat(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if !reported {
			base.Say("Waiting for the instance: it has no kubeconfig yet (%s).", path)
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fault.New(fault.Deadline, "wait for the instance's kubeconfig", path, err)
			}
			return ctx.Err()
		}
	}
}
