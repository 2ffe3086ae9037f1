// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestAct: actions change a container's state as Docker's do, until its entry in
// the file changes; the file is not written.
func TestAct(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.yaml")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const file = "containers: [{name: web, id: web, imageName: nginx, pid: 7}]"
	write(file)
	e, err := New(Config{Endpoint: "file://" + filepath.ToSlash(path)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	key := engine.Key{Kind: engine.KindContainer, ID: "web"}
	status := func() *containersv1alpha1.ContainerStatus {
		t.Helper()
		object, err := e.Inspect(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return object.Container
	}
	for _, step := range []struct {
		action  containersv1alpha1.Action
		refused bool
		phase   containersv1alpha1.Phase
	}{
		{containersv1alpha1.ActionUnpause, true, containersv1alpha1.PhaseRunning},
		{containersv1alpha1.ActionPause, false, containersv1alpha1.PhasePaused},
		{containersv1alpha1.ActionStart, true, containersv1alpha1.PhasePaused},
		{containersv1alpha1.ActionUnpause, false, containersv1alpha1.PhaseRunning},
		{containersv1alpha1.ActionStop, false, containersv1alpha1.PhaseExited},
		{containersv1alpha1.ActionStop, false, containersv1alpha1.PhaseExited},
		{containersv1alpha1.ActionPause, true, containersv1alpha1.PhaseExited},
		{containersv1alpha1.ActionRestart, false, containersv1alpha1.PhaseRunning},
		{"explode", true, containersv1alpha1.PhaseRunning},
		{containersv1alpha1.ActionStop, false, containersv1alpha1.PhaseExited},
	} {
		if err := e.Act(t.Context(), key, step.action); errors.Is(err, engine.ErrRefused) != step.refused || err != nil && !step.refused {
			t.Errorf("%s: %v", step.action, err)
		}
		if got := status(); got.Status != step.phase || apimeta.IsStatusConditionTrue(got.Conditions, containersv1alpha1.ConditionRunning) != (step.phase != containersv1alpha1.PhaseExited) {
			t.Errorf("after %s it is %s: %v", step.action, got.Status, got.Conditions)
		}
	}
	if got := status(); got.PID != 0 || got.FinishedAt == nil {
		t.Errorf("a stopped container: %+v", got)
	}
	if err := e.Act(t.Context(), engine.Key{Kind: engine.KindContainer, ID: "unknown"}, containersv1alpha1.ActionStop); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("a container that is not there: %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != file {
		t.Errorf("the file was written: %s, %v", content, err)
	}
	write(file + "\n# the same")
	if err := e.load(); err != nil || status().Status != containersv1alpha1.PhaseExited {
		t.Errorf("after a change that is none of it: %v, %s", err, status().Status)
	}
	write("containers: [{name: web, id: web, imageName: nginx, pid: 8}]")
	if err := e.load(); err != nil || status().Status != containersv1alpha1.PhaseRunning {
		t.Errorf("after a change of its entry: %v, %s", err, status().Status)
	}
}
