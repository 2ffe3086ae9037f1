// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// acted is a container that is no longer as the file says.
type acted struct{ was, is engine.Object }

// transition is what an action does: from any of some phases to one.
type transition struct {
	from []containersv1alpha1.Phase
	to   containersv1alpha1.Phase
}

// transitionOf returns what an action does, as in Docker.
func transitionOf(action containersv1alpha1.Action) (transition, bool) {
	const (
		created, running, paused = containersv1alpha1.PhaseCreated, containersv1alpha1.PhaseRunning, containersv1alpha1.PhasePaused
		restarting, exited, dead = containersv1alpha1.PhaseRestarting, containersv1alpha1.PhaseExited, containersv1alpha1.PhaseDead
	)
	phases := func(phases ...containersv1alpha1.Phase) []containersv1alpha1.Phase { return phases }
	t, ok := map[containersv1alpha1.Action]transition{
		containersv1alpha1.ActionStart:   {phases(created, running, restarting, exited), running},
		containersv1alpha1.ActionStop:    {phases(created, running, paused, restarting, exited, dead), exited},
		containersv1alpha1.ActionPause:   {phases(running), paused},
		containersv1alpha1.ActionUnpause: {phases(paused), running},
		containersv1alpha1.ActionRestart: {phases(created, running, paused, restarting, exited), running},
	}[action]
	return t, ok
}

// Act implements [engine.Engine]: the container's state changes, in memory, until
// its own entry in the file does.
func (e *Engine) Act(_ context.Context, key engine.Key, action containersv1alpha1.Action) error {
	if _, err := e.current(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	object, ok := e.served[key]
	if !ok || object.Container == nil {
		return fmt.Errorf("%w: no container %s", engine.ErrNotFound, key.ID)
	}
	t, ok := transitionOf(action)
	phase := object.Container.Status
	switch {
	case !ok:
		return fmt.Errorf("%w: there is no action %q", engine.ErrRefused, action)
	case !slices.Contains(t.from, phase):
		return fmt.Errorf("%w: cannot %s container %s: it is %s", engine.ErrRefused, action, key.ID, phase)
	case t.to == phase && action != containersv1alpha1.ActionRestart:
		return nil
	}
	next := clone(object)
	if err := enter(next.Container, t.to, metav1.NewTime(time.Now().Truncate(time.Second))); err != nil {
		return err
	}
	e.acted[key] = acted{was: e.file[key], is: next}
	e.serveLocked()
	return nil
}

// enter brings a container into a phase.
func enter(status *containersv1alpha1.ContainerStatus, phase containersv1alpha1.Phase, now metav1.Time) error {
	switch {
	case phase == containersv1alpha1.PhaseExited:
		status.FinishedAt, status.PID = &now, 0
	case phase == containersv1alpha1.PhaseRunning && status.Status != containersv1alpha1.PhasePaused:
		status.StartedAt, status.FinishedAt, status.ExitCode = &now, nil, 0
	}
	status.Status = phase
	status.Conditions = nil
	return completeConditions(status)
}

// asActed returns a world in which the containers are as they were acted on.
func (w world) asActed(on map[engine.Key]acted) world {
	for key, a := range on {
		if _, ok := w[key]; ok {
			w[key] = a.is
		}
	}
	return w
}
