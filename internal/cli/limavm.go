// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// vmTimeout covers the download of an image, and a boot without KVM.
const vmTimeout = 15 * time.Minute

func (e *env) limaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "limavm",
		Aliases: []string{"lima", "vm"},
		Short:   "Manage your own virtual machines",
		Long: `Create, start, stop, change and delete Lima virtual machines of your own. The App's
virtual machine is called rd: manage it with ` + "`rdd start`" + `, ` + "`rdd stop`" + ` and ` + "`rdd set`" + `.`,
		Example: `  rdd limavm create web --template lima.yaml
  rdd limavm shell web`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	remove := e.vmDeleteCommand()
	absent(reportsAbsence, remove)
	cmd.AddCommand(
		e.vmCreateCommand(), e.vmStartCommand(), e.vmStopCommand(), e.vmRestartCommand(), remove,
		e.vmListCommand(), e.vmShellCommand(), e.vmLogCommand(), e.vmEditCommand(),
	)
	return cmd
}

// addVMFlags adds the flags of a command that waits until virtual machines are as what
// describes.
func (e *env) addVMFlags(cmd *cobra.Command, f *waitFlags, namespace *string, what string) {
	f.timeout = vmTimeout
	addWaitFlags(cmd, f, what)
	e.addVMNamespace(cmd, namespace, "`namespace` of the virtual machines (default: all)")
}

func (e *env) addVMNamespace(cmd *cobra.Command, namespace *string, usage string) {
	cmd.Flags().StringVarP(namespace, "namespace", "n", "", usage)
	completeFlag(cmd, "namespace", e.completeMachines(func(vm *limav1alpha1.LimaVM) string { return vm.Namespace }))
}

// completeVMs completes to the names of virtual machines, each once, for at most that
// many arguments; 0 for any number.
func (e *env) completeVMs(most int) cobra.CompletionFunc {
	complete := e.completeMachines(func(vm *limav1alpha1.LimaVM) string { return vm.Name })
	return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, noFiles
		}
		names, directive := complete(cmd, args, prefix)
		return without(names, args), directive
	}
}

// completeMachines completes to the value of each virtual machine.
func (e *env) completeMachines(value func(*limav1alpha1.LimaVM) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) (values []cobra.Completion, _ cobra.ShellCompDirective) {
		e.whileRunning(cmd.Context(), func(ctx context.Context, c ctrlclient.WithWatch) {
			var list limav1alpha1.LimaVMList
			_ = c.List(ctx, &list) // without a list there are no completions
			for i := range list.Items {
				values = append(values, value(&list.Items[i]))
			}
		})
		return sorted(values), noFiles
	}
}

// machines returns clients for the files of the instance's virtual machines. limactl
// need not be installed.
func (e *env) machines() (*limactl.Client, lima.LogFiles, error) {
	inst, err := e.Instance()
	if err != nil {
		return nil, lima.LogFiles{}, err
	}
	return &limactl.Client{Home: inst.LimaHome()}, lima.LogFiles{Home: inst.LimaHome(), Dir: inst.LogDir()}, nil
}

// completeMade completes the first argument to the name of a virtual machine on the
// disk, even if no daemon runs.
func (e *env) completeMade(names func(*limactl.Client, lima.LogFiles) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		tool, logs, err := e.machines()
		if err != nil || len(args) > 0 {
			return nil, noFiles
		}
		return names(tool, logs), noFiles
	}
}

// withSuggestion adds similar names to the error for a virtual machine that does not
// exist.
func withSuggestion(err error) error {
	var none *client.VMNotFoundError
	if !errors.As(err, &none) {
		return err
	}
	return fault.New(fault.KindOf(err), "", "", fmt.Errorf("%w%s", err, suggestion(none.Name, none.Names)))
}

// suggestion suggests the names that are similar to name; it is empty if none is.
func suggestion(name string, names []string) string {
	similar := command.Similar(name, names)
	if len(similar) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(similar, " or ") + "?"
}

// vmNames is a [cobra.PositionalArgs] for names of virtual machines.
func vmNames(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return command.Usage("requires the name of a virtual machine; see `%s --help`", cmd.CommandPath())
	}
	return nil
}

// oneVM is a [cobra.PositionalArgs].
func oneVM(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return command.Usage("requires the name of one virtual machine, received %d; see `%s --help`", len(args), cmd.CommandPath())
	}
	return nil
}

// listMachines prints the virtual machines, once or with each change, or in another format.
func (e *env) listMachines(ctx context.Context, l *listing.Lister, watch bool, output string) error {
	if err := checkOutput(output); err != nil {
		return err
	}
	if output != "" && watch {
		return command.Usage("--watch can't be combined with --output %s", output)
	}
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	table := listing.VirtualMachines()
	return e.withLister(ctx, l, func(*appSession) error {
		switch {
		case watch:
			return e.watch(ctx, l, table)
		case output == "":
			return errors.Join(l.Print(ctx, e.Stdout, table), e.sayStaleness(ctx, l))
		}
		list, err := l.List(ctx, table)
		if err != nil {
			return err
		}
		return errors.Join(printAs(e.Stdout, output, list), e.sayStaleness(ctx, l))
	})
}

func (e *env) vmListCommand() *cobra.Command {
	var l listing.Lister
	var watch bool
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List virtual machines",
		Long: `List the virtual machines, including the App's, with their problems. With --watch the
command prints a line for each change until it is interrupted.`,
		Example: "  rdd limavm list\n  rdd limavm list --watch\n  rdd limavm list --output json",
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == "table" {
				output = ""
			}
			return e.listMachines(cmd.Context(), &l, watch, output)
		},
	}
	e.addVMNamespace(cmd, &l.Scope.Namespace, "show only this `namespace` (default: all)")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "print a line for each change")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "output `format`: table, json or yaml")
	completeFlag(cmd, "output", fixed("table", "json", "yaml"))
	return cmd
}
