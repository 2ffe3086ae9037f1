// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"slices"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// promised fails unless what a successful `rdd set` promised is true now: the
// engine is connected and all of it is mirrored, or nothing is left.
func (h *home) promised(engine *fakedocker.Server, containers []string) {
	h.t.Helper()
	c := h.client()
	app := &appv1alpha1.App{}
	if err := c.Get(h.t.Context(), ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, app); err != nil {
		h.t.Fatal(err)
	}
	mirrored := h.mirrored()
	want := slices.Sorted(slices.Values(containers))
	ready := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionContainerEngineReady)
	reason, streams := containersv1alpha1.ReasonStopped, 0
	if app.Spec.Running {
		reason, streams = containersv1alpha1.ReasonConnected, 1
	}
	if ready == nil || ready.Reason != reason || ready.ObservedGeneration != app.Generation || !slices.Equal(mirrored, want) {
		h.t.Errorf("the App's engine is %+v, want %s of generation %d; mirrored are %v, want %v", ready, reason, app.Generation, mirrored, want)
	}
	h.eventually("the engine knows it too", func() (bool, string) { // it sees the end of a connection a moment later
		return engine.Streams() == streams, fmt.Sprint(engine.Streams())
	})
}

// TestSetAtTheFirstMoment: on a machine where nothing runs yet, or the daemon has
// only just been started, `rdd set` returns when the engine is connected.
func TestSetAtTheFirstMoment(t *testing.T) {
	t.Parallel()
	for round := range rounds(t, 100, 4) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			engine, _ := startEngine(t, 0)
			containers := engine.AddContainers(3, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
			h := newHome(t)
			if round%2 == 1 {
				h.ok("service", "start", "--wait=false")
			}
			h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
			h.promised(engine, containers)
		})
	}
}

// TestSetKeepsItsPromise: what an `rdd set` that succeeded has promised is true at
// once.
func TestSetKeepsItsPromise(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	var engines [2]*fakedocker.Server
	var containers [2][]string
	for i := range engines {
		engines[i], _ = startEngine(t, 0)
		containers[i] = engines[i].AddContainers(3, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: fmt.Sprint("engine", i, "-"), Running: true})
	}
	for range rounds(t, 20, 2) {
		for i, engine := range engines {
			h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
			h.promised(engine, containers[i])
			h.ok("stop")
			h.promised(engine, nil)
			h.ok("start")
			h.promised(engine, containers[i])
		}
	}
}
