// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/dockerview"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/daemon/health"
)

func (e *env) addScopeFlags(cmd *cobra.Command, scope *listing.Scope) {
	cmd.Flags().StringVar(&scope.Namespace, "namespace", "", "show only this `namespace` (default: all)")
	cmd.Flags().StringVar(&scope.Engine, "engine", "", "show only the ContainerEngine with this `name` (default: all)")
	completeFlag(cmd, "namespace", e.completeEngines(func(engine *containersv1alpha1.ContainerEngine) string { return engine.Namespace }))
	completeFlag(cmd, "engine", e.completeEngines(func(engine *containersv1alpha1.ContainerEngine) string { return engine.Name }))
}

// listCommand has the flags of a command that lists mirrors of a kind.
type listCommand struct {
	listing.Lister
	kind    *dockerview.Kind
	options dockerview.Options
	output  string
	watch   bool
	// prepare completes the options after the flags are read. It may be nil.
	prepare func()
}

func newListCommand(kind *dockerview.Kind) *listCommand {
	return &listCommand{kind: kind, options: dockerview.Options{Filters: dockerview.Filters{}}}
}

// listOutputs are the formats of --output.
var listOutputs = []string{"json", "yaml", "wide", "name"}

func (e *env) listCommand(l *listCommand, name, short string, aliases ...string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name,
		Aliases: aliases,
		Short:   short,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.prepare != nil {
				l.prepare()
			}
			return e.list(cmd.Context(), l)
		},
	}
	e.addScopeFlags(cmd, &l.Scope)
	flags := cmd.Flags()
	flags.BoolVarP(&l.options.Quiet, "quiet", "q", false, "print only IDs, or names of volumes")
	flags.VarP(l.options.Filters, "filter", "f", "show only what matches `NAME=VALUE`: "+strings.Join(l.kind.Filters(), ", "))
	flags.StringVar(&l.options.Format, "format", "", "output `format`: \"table\", \"table TEMPLATE\", \"json\" or a template of Docker's")
	flags.StringVarP(&l.output, "output", "o", "", "output `format`: "+strings.Join(listOutputs, ", "))
	flags.BoolVar(&l.options.Full, "no-trunc", false, "do not truncate output")
	flags.StringVar(&l.options.Sort, "sort", "", "sort by `field`, with a minus sign before it in reverse: "+strings.Join(l.kind.Sorts(), ", "))
	flags.BoolVarP(&l.watch, "watch", "w", false, "print a line for each change, in all states")
	completeFlag(cmd, "output", fixed(listOutputs...))
	completeFlag(cmd, "sort", fixed(l.kind.Sorts()...))
	completeFlag(cmd, "filter", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var names []cobra.Completion
		for _, name := range l.kind.Filters() {
			names = append(names, name+"=")
		}
		return names, noFiles | cobra.ShellCompDirectiveNoSpace
	})
	return cmd
}

// check returns the usage error of flags that are invalid, or invalid together.
func (l *listCommand) check() error {
	o := &l.options
	plain := l.output == "" && o.Format == "" && !o.Quiet && o.Sort == "" && len(o.Filters) == 0 && o.Last <= 0
	switch {
	case l.output != "" && !slices.Contains(listOutputs, l.output):
		return command.Usage("unknown output format %q: must be %s", l.output, strings.Join(listOutputs, ", "))
	case l.output != "" && (o.Format != "" || o.Quiet):
		return command.Usage("--output %s can't be combined with --format or --quiet", l.output)
	case l.watch && !plain:
		return command.Usage("--watch can't be combined with --filter, --format, --last, --output, --quiet or --sort")
	}
	o.Wide = l.output == "wide"
	if err := l.kind.Check(o); err != nil {
		return command.Usage("%v", err)
	}
	return nil
}

// list prints a list, once or with each change.
func (e *env) list(ctx context.Context, l *listCommand) error {
	if err := l.check(); err != nil {
		return err
	}
	l.Full = l.options.Full
	ctx, stop := e.UntilSignal(ctx)
	defer stop()
	return e.withLister(ctx, &l.Lister, func(*appSession) error {
		if l.watch {
			return e.watch(ctx, &l.Lister, l.kind.Table)
		}
		selection, err := l.kind.Select(ctx, &l.Lister, &l.options)
		if err != nil {
			return err
		}
		return errors.Join(e.printSelection(l, selection), e.sayStaleness(ctx, &l.Lister))
	})
}

func (e *env) printSelection(l *listCommand, selection *dockerview.Selection) error {
	switch l.output {
	case "json", "yaml":
		list, err := selection.List()
		if err != nil {
			return err
		}
		return printAs(e.Stdout, l.output, list)
	case "name":
		for _, obj := range selection.Objects() {
			if _, err := fmt.Fprintln(e.Stdout, resourceName(l.Client, obj)); err != nil {
				return err
			}
		}
		return nil
	}
	return selection.Print(e.Stdout)
}

// resourceName returns the name of an object as kubectl prints it.
func resourceName(c client.Client, obj client.Object) string {
	kind, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return obj.GetName()
	}
	return strings.ToLower(kind.Kind) + "." + kind.Group + "/" + obj.GetName()
}

// watch prints a table, and a line for each change until the user interrupts it.
func (e *env) watch(ctx context.Context, l *listing.Lister, table listing.Table) error {
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
