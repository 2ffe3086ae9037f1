// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/daemon/health"
)

func (e *env) addScopeFlags(cmd *cobra.Command, scope *listing.Scope) {
	cmd.Flags().StringVarP(&scope.Namespace, "namespace", "n", "", "show only this `namespace` (default: all)")
	cmd.Flags().StringVar(&scope.Engine, "engine", "", "show only the ContainerEngine with this `name` (default: all)")
	completeFlag(cmd, "namespace", e.completeEngines(func(engine *containersv1alpha1.ContainerEngine) string { return engine.Namespace }))
	completeFlag(cmd, "engine", e.completeEngines(func(engine *containersv1alpha1.ContainerEngine) string { return engine.Name }))
}

func (e *env) psCommand() *cobra.Command {
	return e.listCommand("ps", "List containers, including stopped ones", listing.Containers())
}

func (e *env) imagesCommand() *cobra.Command {
	return e.listCommand("images", "List images, one line for each tag", listing.Images())
}

func (e *env) volumesCommand() *cobra.Command {
	return e.listCommand("volumes", "List volumes", listing.Volumes())
}

func (e *env) listCommand(name, short string, table listing.Table) *cobra.Command {
	var l listing.Lister
	var watch bool
	var output string
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `, of all connected engines. With --watch the
command prints a line for each change until it is interrupted.`,
		Example: fmt.Sprintf("  rdd %[1]s\n  rdd %[1]s --watch\n  rdd %[1]s --output json", name),
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.list(cmd.Context(), &l, table, watch, output)
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	cmd.Flags().BoolVar(&l.Full, "no-trunc", false, "do not truncate output")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "print a line for each change")
	addOutputFlag(cmd, &output)
	return cmd
}

// list prints a table, once or with each change, or another format.
func (e *env) list(ctx context.Context, l *listing.Lister, table listing.Table, watch bool, output string) error {
	if err := checkOutput(output); err != nil {
		return err
	}
	if output != "" && watch {
		return command.Usage("--watch can't be combined with --output %s", output)
	}
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	return e.withLister(ctx, l, func(*appSession) error {
		if watch {
			watching, end := context.WithCancel(ctx)
			var reporting sync.WaitGroup
			defer reporting.Wait()
			defer end()
			reporting.Go(func() { l.WatchStaleness(watching, e.reportStaleness) })
			err := l.Watch(ctx, e.Stdout, table)
			if errors.Is(err, context.Canceled) {
				return nil // the user ends the watch by an interrupt
			}
			return err
		}
		if output == "" {
			return errors.Join(l.Print(ctx, e.Stdout, table), e.sayStaleness(ctx, l))
		}
		list, err := l.List(ctx, table)
		if err != nil {
			return err
		}
		return errors.Join(printAs(e.Stdout, output, list), e.sayStaleness(ctx, l))
	})
}

// sayStaleness warns on standard error if the listed mirrors may be stale.
func (e *env) sayStaleness(ctx context.Context, l *listing.Lister) error {
	lines, err := l.Staleness(ctx)
	for _, line := range lines {
		e.Say("rdd: %s", line)
	}
	return err
}

// reportStaleness reports a change of the warnings, or that there are none any longer.
func (e *env) reportStaleness(lines []string) {
	for _, line := range lines {
		e.Say("rdd: %s", line)
	}
	if len(lines) == 0 {
		e.Say("rdd: the list is up to date again")
	}
}

// withLister makes sure that the daemon is ready, and calls do with l connected to it.
func (e *env) withLister(ctx context.Context, l *listing.Lister, do func(*appSession) error) error {
	return e.withClient(ctx, func(session *appSession) error {
		l.Client, l.Clock = session.client, clock.RealClock{}
		l.Unwritable = func(ctx context.Context) (string, error) {
			report, err := health.Read(ctx, session.service.Instance.ConfigFile())
			return report.Unwritable, err
		}
		return do(session)
	})
}
