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
	cmd.Flags().StringVarP(&scope.Namespace, "namespace", "n", "", "only those in this `namespace` of the API (default: all)")
	cmd.Flags().StringVar(&scope.Engine, "engine", "", "only those of the ContainerEngine of this `name` (default: all)")
	completeFlag(cmd, "namespace", e.completeEngines(func(engine *containersv1alpha1.ContainerEngine) string { return engine.Namespace }))
	completeFlag(cmd, "engine", e.completeEngines(func(engine *containersv1alpha1.ContainerEngine) string { return engine.Name }))
}

func (e *env) psCommand() *cobra.Command {
	return e.listCommand("ps", "List the containers, also those that have ended", listing.Containers())
}

func (e *env) imagesCommand() *cobra.Command {
	return e.listCommand("images", "List the images, once for each tag", listing.Images())
}

func (e *env) volumesCommand() *cobra.Command {
	return e.listCommand("volumes", "List the volumes", listing.Volumes())
}

func (e *env) listCommand(name, short string, table listing.Table) *cobra.Command {
	var l listing.Lister
	var watch bool
	var output string
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `,
of all engines that are connected. With --watch a line follows for each change,
until the command is interrupted.`,
		Example: fmt.Sprintf("  rdd %[1]s\n  rdd %[1]s --watch\n  rdd %[1]s --output json", name),
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.list(cmd.Context(), &l, table, watch, output)
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	cmd.Flags().BoolVar(&l.Full, "no-trunc", false, "print IDs as long as they are")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on with a line for each change")
	addOutputFlag(cmd, &output)
	return cmd
}

// list prints a table, once or with each change, or as another format.
func (e *env) list(ctx context.Context, l *listing.Lister, table listing.Table, watch bool, output string) error {
	if err := checkOutput(output); err != nil {
		return err
	}
	if output != "" && watch {
		return command.Usage("--watch prints a table: leave --output out")
	}
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	return e.withLister(ctx, l, func(*appSession) error {
		if watch {
			watching, end := context.WithCancel(ctx)
			var worth sync.WaitGroup
			defer worth.Wait()
			defer end()
			worth.Go(func() { l.WatchWorth(watching, e.sayWorthAgain()) })
			err := l.Watch(ctx, e.Stdout, table)
			if errors.Is(err, context.Canceled) {
				return nil // as it was asked to
			}
			return err
		}
		if output == "" {
			return errors.Join(l.Print(ctx, e.Stdout, table), e.sayWorth(ctx, l))
		}
		list, err := l.List(ctx, table)
		if err != nil {
			return err
		}
		return errors.Join(printAs(e.Stdout, output, list), e.sayWorth(ctx, l))
	})
}

// sayWorth says on standard error what a table is worth, if it is not what the
// engines have now.
func (e *env) sayWorth(ctx context.Context, l *listing.Lister) error {
	lines, err := l.Worth(ctx)
	for _, line := range lines {
		e.Say("rdd: %s", line)
	}
	return err
}

// sayWorthAgain returns what says it when it has changed.
func (e *env) sayWorthAgain() func(lines []string) {
	return func(lines []string) {
		for _, line := range lines {
			e.Say("rdd: %s", line)
		}
		if len(lines) == 0 {
			e.Say("rdd: what is listed is current again")
		}
	}
}

// withLister makes sure that the daemon is ready, and calls do with a lister of
// what is in it.
func (e *env) withLister(ctx context.Context, l *listing.Lister, do func(*appSession) error) error {
	return e.withClient(ctx, func(session *appSession) error {
		api, err := session.client.API()
		if err != nil {
			return err
		}
		l.Client, l.Clock = api, clock.RealClock{}
		l.Unwritable = func(ctx context.Context) (string, error) {
			report, err := health.Read(ctx, session.service.Instance.ConfigFile())
			return report.Unwritable, err
		}
		return do(session)
	})
}
