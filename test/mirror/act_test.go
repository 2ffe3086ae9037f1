// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// ask patches a Container.
func (e *env) ask(id, patch string) {
	e.t.Helper()
	m := &containersv1alpha1.Container{}
	m.Name, m.Namespace = id, namespace
	e.must(e.kube.Patch(e.t.Context(), m, ctrlclient.RawPatch(types.MergePatchType, []byte(patch))))
}

func (e *env) askAction(id string, action containersv1alpha1.Action) {
	e.t.Helper()
	e.ask(id, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, containersv1alpha1.ActionAnnotation, action))
}

func (e *env) askState(id string, state containersv1alpha1.ContainerState) {
	e.t.Helper()
	e.ask(id, fmt.Sprintf(`{"spec":{"state":%q}}`, state))
}

func (e *env) container(id string) *containersv1alpha1.Container {
	e.t.Helper()
	m := &containersv1alpha1.Container{}
	e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: id}, m))
	return m
}

// becomes waits until a container is in a phase, and what was asked for is done.
func (e *env) becomes(id string, phase containersv1alpha1.Phase) *containersv1alpha1.Container {
	e.t.Helper()
	var m *containersv1alpha1.Container
	e.eventually("the container is "+string(phase), func() (bool, string) {
		m = &containersv1alpha1.Container{}
		if err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: id}, m); err != nil {
			return false, err.Error()
		}
		asked := m.Annotations[containersv1alpha1.ActionAnnotation] != "" || m.Spec.State != "" && m.Status.ObservedGeneration < m.Generation
		return m.Status.Status == phase && !asked, fmt.Sprintf("%s, asked %v, %+v", m.Status.Status, asked, m.Status.LastAction)
	})
	return m
}

// requests counts the calls of one act.
func requests(engine *fakedocker.Server, act string) int {
	n := 0
	for route, times := range engine.Requests() {
		if strings.HasPrefix(route, "POST /containers/") && strings.HasSuffix(route, "/"+act) {
			n += times
		}
	}
	return n
}

// actions is what is asked of a container that runs, one after the other.
var actions = []struct {
	action containersv1alpha1.Action
	phase  containersv1alpha1.Phase
	calls  int // of that action, so far
	failed bool
}{
	{containersv1alpha1.ActionPause, containersv1alpha1.PhasePaused, 1, false},
	{containersv1alpha1.ActionUnpause, containersv1alpha1.PhaseRunning, 1, false},
	{containersv1alpha1.ActionStart, containersv1alpha1.PhaseRunning, 0, false}, // it runs already
	{containersv1alpha1.ActionRestart, containersv1alpha1.PhaseRunning, 1, false},
	{containersv1alpha1.ActionStop, containersv1alpha1.PhaseExited, 1, false},
	{containersv1alpha1.ActionPause, containersv1alpha1.PhaseExited, 2, true},
	{containersv1alpha1.ActionUnpause, containersv1alpha1.PhaseExited, 2, true},
	{containersv1alpha1.ActionStart, containersv1alpha1.PhaseRunning, 1, false},
}

// acts asks for all actions. after is called after each.
func (e *env) acts(id string, after func(containersv1alpha1.Action, int)) {
	e.t.Helper()
	for _, step := range actions {
		e.askAction(id, step.action)
		m := e.becomes(id, step.phase)
		last := m.Status.LastAction
		if last == nil || last.Action != step.action || (last.State == containersv1alpha1.ActionFailed) != step.failed || (last.Error != "") != step.failed {
			e.t.Errorf("%s: last action %+v", step.action, last)
		}
		after(step.action, step.calls)
	}
	e.equal("moby")
}

// suiteActions is for all engines.
func suiteActions(d *driver) {
	now := 0
	id := d.run("acted-on", container.Config{StopTimeout: &now}, container.HostConfig{})
	d.acts(id, func(containersv1alpha1.Action, int) {})
	d.askState(id, containersv1alpha1.StatePaused)
	d.becomes(id, containersv1alpha1.PhasePaused)
	d.askState(id, containersv1alpha1.StateRunning)
	d.becomes(id, containersv1alpha1.PhaseRunning)
	d.askState(id, containersv1alpha1.StateExited)
	d.becomes(id, containersv1alpha1.PhaseExited)
	d.removeContainer(id)
}

// TestActions: each action is done once, reported, and its annotation removed.
func TestActions(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	e := newEnv(t, docker, engine.Endpoint())
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
	e.connect("moby")
	e.acts(id, func(action containersv1alpha1.Action, want int) {
		if calls := requests(engine.Server, string(action)); calls != want {
			t.Errorf("%s: %d calls so far, want %d", action, calls, want)
		}
	})
}

// TestWantedState: a wanted state is brought about once for each time that it is
// asked for, and then left to others.
func TestWantedState(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	e := newEnv(t, docker, engine.Endpoint())
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
	e.setResync(e.connect("moby"), time.Second)
	e.askState(id, containersv1alpha1.StatePaused)
	e.becomes(id, containersv1alpha1.PhasePaused)
	e.askState(id, containersv1alpha1.StateRunning)
	e.becomes(id, containersv1alpha1.PhaseRunning)
	e.askState(id, containersv1alpha1.StateExited)
	m := e.becomes(id, containersv1alpha1.PhaseExited)
	if last := m.Status.LastAction; last == nil || last.Generation != m.Generation || last.State != containersv1alpha1.ActionSucceeded {
		t.Errorf("last action %+v of generation %d", last, m.Generation)
	}
	stops := requests(engine.Server, "stop")

	e.askAction(id, containersv1alpha1.ActionStart) // another client wants it to run
	e.becomes(id, containersv1alpha1.PhaseRunning)
	ce := e.getEngine("moby")
	e.waitCompared(ce)
	if now := requests(engine.Server, "stop"); now != stops {
		t.Errorf("a fulfilled request is repeated: %d stops, before %d", now, stops)
	}

	e.askState(id, containersv1alpha1.StatePaused)
	e.becomes(id, containersv1alpha1.PhasePaused)
	e.must(engine.Exit(id, 3))
	e.becomes(id, containersv1alpha1.PhaseExited)
	e.ask(id, `{"spec":{"state":null}}`)
	e.askState(id, containersv1alpha1.StatePaused)
	e.eventually("pausing what does not run has failed", func() (bool, string) {
		last := e.container(id).Status.LastAction
		return last != nil && last.State == containersv1alpha1.ActionFailed && last.Error != "", fmt.Sprintf("%+v", last)
	})
	pauses := requests(engine.Server, "pause")
	e.waitCompared(ce)
	if now := requests(engine.Server, "pause"); now != pauses {
		t.Errorf("a refusal is tried again: %d pauses, before %d", now, pauses)
	}
}

// TestActsOutlastTheManager: what was asked while no manager ran, or while the
// engine did not answer, is done when they do, once.
func TestActsOutlastTheManager(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	e := newEnv(t, docker, engine.Endpoint())
	ids := engine.AddContainers(4, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	e.connect("moby")
	e.stopManager()
	e.askAction(ids[0], containersv1alpha1.ActionStop)
	e.askState(ids[1], containersv1alpha1.StateExited)
	e.startManager()
	e.becomes(ids[0], containersv1alpha1.PhaseExited)
	e.becomes(ids[1], containersv1alpha1.PhaseExited)

	engine.HangRequests(true)
	e.askAction(ids[2], containersv1alpha1.ActionStop)
	e.stopManager()
	engine.HangRequests(false)
	e.startManager()
	e.becomes(ids[2], containersv1alpha1.PhaseExited)
	e.equal("moby")
	for _, c := range ids[:3] {
		if last := e.container(c).Status.LastAction; last == nil || last.State != containersv1alpha1.ActionSucceeded {
			t.Errorf("%s: %+v", c, last)
		}
	}
}
