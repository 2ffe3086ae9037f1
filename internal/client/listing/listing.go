// SPDX-License-Identifier: Apache-2.0

// Package listing prints tables of mirrors and virtual machines, once or after each
// change.
package listing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// Scope selects the objects to list.
type Scope struct {
	// Namespace of the objects; empty for all.
	Namespace string
	// Engine is the name of the ContainerEngine; empty for all.
	Engine string
}

func (s Scope) options() []client.ListOption {
	var options []client.ListOption
	if s.Namespace != "" {
		options = append(options, client.InNamespace(s.Namespace))
	}
	if s.Engine != "" {
		options = append(options, client.MatchingLabelsSelector{
			Selector: labels.SelectorFromSet(labels.Set{containersv1alpha1.EngineLabel: s.Engine}),
		})
	}
	return options
}

// Lister reads mirrors from an API server.
type Lister struct {
	Client client.WithWatch
	Scope  Scope
	Clock  clock.Clock
	// Unwritable returns why the daemon can't write its store, empty if it can. It may
	// be nil.
	Unwritable func(context.Context) (string, error)
	// Full disables truncation.
	Full bool
}

// List returns the mirrors of a table, in its order.
func (l *Lister) List(ctx context.Context, table Table) (client.ObjectList, error) {
	list := table.list()
	if err := l.Client.List(ctx, list, l.Scope.options()...); err != nil {
		return nil, explain(err, table.group)
	}
	return list, table.sort(list)
}

func object(obj runtime.Object) client.Object { return obj.(client.Object) }

// explain explains the error for a kind that is not served.
func explain(err error, group string) error {
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return fmt.Errorf("this instance has no controllers of the %s group (see `rdd service status`)", group)
	}
	return err
}

// Print prints a table.
func (l *Lister) Print(ctx context.Context, w io.Writer, table Table) error {
	list, err := l.List(ctx, table)
	if err != nil {
		return err
	}
	return l.write(w, table, list)
}

func (l *Lister) write(w io.Writer, table Table, list client.ObjectList) error {
	rows := [][]string{append(slices.Clone(table.columns), problemColumn)}
	problems := false
	err := apimeta.EachListItem(list, func(obj runtime.Object) error {
		row, problem := l.row(table, object(obj)), l.Problem(object(obj))
		problems = problems || problem != ""
		rows = append(rows, append(row, problem))
		return nil
	})
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if !problems || row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		_, _ = fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return errors.Join(err, out.Flush())
}

// Watch prints a table, and then a line for each change, until ctx ends. The first column
// is the type of the event.
func (l *Lister) Watch(ctx context.Context, w io.Writer, table Table) error {
	list, err := l.List(ctx, table)
	if err != nil {
		return err
	}
	rows := [][]string{slices.Concat([]string{"EVENT"}, table.columns, []string{problemColumn})}
	err = apimeta.EachListItem(list, func(obj runtime.Object) error {
		rows = append(rows, l.eventRow(watch.Added, table, object(obj)))
		return nil
	})
	if err != nil {
		return err
	}
	widths := make([]int, len(rows[0]))
	widths[0] = len(watch.Modified) // the longest
	for _, row := range rows {
		if err := printRow(w, row, widths, rows); err != nil {
			return err
		}
	}
	// Without a logger: WatchStaleness reports a daemon that does not answer.
	changes, err := watchtools.NewRetryWatcherWithContext(klog.NewContext(ctx, logr.Discard()), list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return l.Client.Watch(ctx, table.list(), append(l.Scope.options(), &client.ListOptions{Raw: &options})...)
		},
	})
	if err != nil {
		return err
	}
	defer changes.Stop()
	for event := range changes.ResultChan() {
		obj, ok := event.Object.(client.Object)
		if !ok {
			return apierrors.FromObject(event.Object)
		}
		if err := printRow(w, l.eventRow(event.Type, table, obj), widths, nil); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *Lister) eventRow(event watch.EventType, table Table, obj client.Object) []string {
	return slices.Concat([]string{string(event)}, l.row(table, obj), []string{l.Problem(obj)})
}

// printRow prints a line with columns at least as wide as widths and the cells of peers,
// and updates widths.
func printRow(w io.Writer, row []string, widths []int, peers [][]string) error {
	for i := range widths {
		for _, other := range append(peers, row) {
			widths[i] = max(widths[i], len([]rune(other[i])))
		}
	}
	var line strings.Builder
	for i, cell := range row {
		if i == len(row)-1 {
			line.WriteString(cell)
			break
		}
		fmt.Fprintf(&line, "%-*s   ", widths[i], cell)
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	return err
}

func (l *Lister) row(table Table, obj client.Object) []string {
	row := table.row(obj, cells{now: l.Clock.Now(), full: l.Full})
	for i, cell := range row {
		row[i] = printable.Text(cell, 0) // the engine controls the text
	}
	return row
}

// cells formats values for tables.
type cells struct {
	now  time.Time
	full bool
}

// shortID is the length of a truncated ID, in characters.
const shortID = 12

func (c cells) id(id string) string {
	if c.full {
		return id
	}
	_, hex, found := strings.Cut(id, ":")
	if !found {
		hex = id
	}
	return hex[:min(len(hex), shortID)]
}

func (c cells) age(at *metav1.Time) string {
	if at == nil {
		return none
	}
	return duration.HumanDuration(max(0, c.now.Sub(at.Time))) // the clock may have been ahead
}
