// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"context"
	"fmt"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	engineController = "engine"

	// stalenessInterval is how often WatchStaleness checks.
	stalenessInterval = 3 * time.Second
	// longestReason bounds a condition's message in a line, in bytes.
	longestReason = 200
)

// Staleness returns why the mirrors in the scope may be stale, a line for each reason;
// none if they are current.
func (l *Lister) Staleness(ctx context.Context) ([]string, error) {
	var lines []string
	if l.Unwritable != nil {
		why, err := l.Unwritable(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the daemon's health: %w", err)
		}
		if why != "" {
			lines = append(lines, fmt.Sprintf("the daemon can't write its store (%s): the list may be stale", printable.Text(why, longestReason)))
		}
	}
	engines, err := l.engines(ctx)
	if err != nil {
		return nil, err
	}
	running := slices.DeleteFunc(slices.Clone(engines), func(e containersv1alpha1.ContainerEngine) bool { return !e.ShouldRun() })
	gone, err := l.controllerGone(ctx, engines)
	switch {
	case err != nil:
		return nil, err
	case gone != nil:
		return append(lines, fmt.Sprintf("%s: see `rdd status`", gone.Message())), nil
	case len(engines) == 0 && l.Scope.Engine != "":
		return append(lines, fmt.Sprintf("ContainerEngine %q not found (see `rdd ctl get containerengines -A`)", printable.Text(l.Scope.Engine, longestReason))), nil
	case len(running) == 0:
		return append(lines, "no engine is connected: run `rdd start`"), nil
	}
	for i := range running {
		lines = append(lines, engineStaleness(&running[i])...)
	}
	return lines, nil
}

// engines returns the ContainerEngines of the scope.
func (l *Lister) engines(ctx context.Context) ([]containersv1alpha1.ContainerEngine, error) {
	var list containersv1alpha1.ContainerEngineList
	if err := l.Client.List(ctx, &list, client.InNamespace(l.Scope.Namespace)); err != nil {
		return nil, explain(err, containersGroup)
	}
	return slices.DeleteFunc(list.Items, func(e containersv1alpha1.ContainerEngine) bool {
		return l.Scope.Engine != "" && e.Name != l.Scope.Engine
	}), nil
}

// controllerGone returns the absence of the engine controller; nil if it runs.
func (l *Lister) controllerGone(ctx context.Context, engines []containersv1alpha1.ContainerEngine) (*liveness.Absence, error) {
	if len(engines) == 0 {
		return nil, nil
	}
	var conditions []metav1.Condition
	for i := range engines {
		conditions = append(conditions, engines[i].Status.Conditions...)
	}
	gone, err := liveness.Finder{Reader: l.Client, Clock: l.Clock}.Find(ctx, map[string][]metav1.Condition{engineController: conditions})
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	return &gone[0], nil
}

// engineStaleness returns why the mirrors of an engine that should run may be stale.
func engineStaleness(e *containersv1alpha1.ContainerEngine) []string {
	name := e.Namespace + "/" + e.Name
	ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return []string{fmt.Sprintf("engine %s: not connected yet", name)}
	case ready.Status != metav1.ConditionTrue && e.Status.LastSync == nil:
		return []string{fmt.Sprintf("engine %s: %s (%s): its objects are not mirrored yet", name, ready.Reason, printable.Text(ready.Message, longestReason))}
	case ready.Status != metav1.ConditionTrue:
		return []string{fmt.Sprintf("engine %s: %s since %s (%s): its objects in the list may be stale",
			name, ready.Reason, ready.LastTransitionTime.Local().Format(time.DateTime), printable.Text(ready.Message, longestReason))}
	}
	complete := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionComplete)
	if complete != nil && complete.Status != metav1.ConditionTrue {
		return []string{fmt.Sprintf("engine %s: the list is incomplete: %s (%s)", name, complete.Reason, printable.Text(complete.Message, longestReason))}
	}
	return nil
}

// WatchStaleness calls report with the lines of [Lister.Staleness] whenever they change,
// until ctx ends. It retries after errors.
func (l *Lister) WatchStaleness(ctx context.Context, report func(lines []string)) {
	var last []string
	for {
		lines, err := l.Staleness(ctx)
		if err != nil {
			lines = []string{"the daemon does not answer: the list may be stale"}
		}
		if ctx.Err() == nil && !slices.Equal(lines, last) {
			report(lines)
			last = lines
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(stalenessInterval):
		}
	}
}
