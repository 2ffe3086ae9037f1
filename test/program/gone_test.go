// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// conditions returns the conditions of the App's engine and of the App.
func (h *home) conditions() (ready, engineReady, settled metav1.Condition) {
	h.t.Helper()
	var (
		ce  containersv1alpha1.ContainerEngine
		app appv1alpha1.App
	)
	c := h.client()
	if err := c.Get(h.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: "moby"}, &ce); err != nil {
		h.t.Fatal(err)
	}
	if err := c.Get(h.t.Context(), ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, &app); err != nil {
		h.t.Fatal(err)
	}
	of := func(all []metav1.Condition, kind string) metav1.Condition {
		if found := apimeta.FindStatusCondition(all, kind); found != nil {
			return *found
		}
		return metav1.Condition{}
	}
	return of(ce.Status.Conditions, containersv1alpha1.ConditionReady),
		of(app.Status.Conditions, appv1alpha1.ConditionContainerEngineReady), of(app.Status.Conditions, appv1alpha1.ConditionSettled)
}

// awaitGone waits until the API reports that the engine controller is gone.
func (h *home) awaitGone() {
	h.t.Helper()
	h.eventually("the conditions say that the controller is gone", func() (bool, string) {
		ready, engineReady, settled := h.conditions()
		is := func(c metav1.Condition, status metav1.ConditionStatus) bool {
			return c.Status == status && c.Reason == containersv1alpha1.ReasonControllerGone
		}
		return is(ready, metav1.ConditionUnknown) && is(engineReady, metav1.ConditionUnknown) && is(settled, metav1.ConditionFalse),
			ready.String() + engineReady.String() + settled.String()
	})
}

// saysOnStderr fails if a command does not succeed, or does not print the words on
// standard error.
func (h *home) saysOnStderr(words []string, args ...string) result {
	h.t.Helper()
	r := h.run(args...)
	if r.code != 0 {
		h.t.Errorf("rdd %v: exit code %d: %s", args, r.code, r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			h.t.Errorf("rdd %v does not say %q: %q", args, word, r.stderr)
		}
	}
	return r
}

// TestControllerKilled: the only process that runs the engine's controller is
// killed. The API, `rdd status` and the lists say so, and that it is over.
func TestControllerKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 2)
	h.ok("service", "start", "--controllers", "*,-engine")
	p := h.spawn("containers-controller")
	h.runs("containers", "engine")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	if r := h.run("ps"); r.code != 0 || r.stderr != "" {
		t.Errorf("with all well rdd ps says %q", r.stderr)
	}

	p.kill()
	h.awaitGone()
	h.finds([]string{"no process runs the controller engine"}, "controller-gone of Controller /engine")
	if screen := h.ok("status"); strings.Contains(screen, "Settled") || strings.Contains(screen, "Connected,") || strings.Contains(screen, "none\n\n") {
		t.Errorf("the status is\n%s", screen)
	}
	r := h.saysOnStderr([]string{"no process runs the controller engine"}, "ps")
	if strings.Count(r.stdout, "busybox") != 2 {
		t.Errorf("the table is %q", r.stdout)
	}
	r = h.saysOnStderr([]string{"no process runs the controller engine"}, "images", "-o", "json")
	if !json.Valid([]byte(r.stdout)) {
		t.Errorf("standard output is no JSON: %q", r.stdout)
	}
	h.fails(4, nil, "ctl", "wait-condition", "containerengine/moby", "Ready", "--timeout", "1s", "-n", namespace)
	h.fails(1, []string{"ControllerGone"}, "set", "containerEngine.endpoint="+fakedocker.Run(t, fakedocker.Config{}).Endpoint())
	h.ok("set", "--wait=false", "containerEngine.endpoint="+engine.Endpoint())

	again := h.spawn("containers-controller")
	h.runs("containers", "engine")
	h.eventually("the App is settled", func() (bool, string) {
		ready, _, settled := h.conditions()
		return ready.Status == metav1.ConditionTrue && settled.Status == metav1.ConditionTrue, ready.String() + settled.String()
	})
	h.finds(nil)
	if code := again.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestControllerLeftOut: the daemon is started again without the engine's
// controller: its conditions from the run before are stale.
func TestControllerLeftOut(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.ok("service", "stop")
	h.ok("service", "start", "--controllers", "*,-engine")
	h.awaitGone()
	h.finds(nil, "controller-gone of Controller /engine")
	h.ok("service", "stop")
	h.ok("service", "start")
	h.eventually("the App is settled", func() (bool, string) {
		_, _, settled := h.conditions()
		return settled.Status == metav1.ConditionTrue, settled.String()
	})
	h.finds(nil)
}

// TestListsSayWhatTheyAreWorth: with the engine gone, and with the App stopped.
func TestListsSayWhatTheyAreWorth(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	id := h.mirrored()[0]
	engine.Stop()
	h.eventually("the engine is disconnected", func() (bool, string) {
		ready, _, _ := h.conditions()
		return ready.Reason == containersv1alpha1.ReasonDisconnected, ready.String()
	})
	for _, command := range []string{"ps", "images", "volumes"} {
		r := h.saysOnStderr([]string{"rdd: engine " + namespace + "/moby: Disconnected since ", "may be stale"}, command)
		if strings.Contains(r.stdout, "Disconnected") {
			t.Errorf("%s says it in the table: %s", command, r.stdout)
		}
	}
	h.fails(1, []string{"not connected", "Disconnected since"}, "logs", id)
	h.fails(1, []string{"not connected"}, "exec", id, "true")

	h.ok("stop")
	h.saysOnStderr([]string{"no engine is connected: run `rdd start`"}, "ps")
	for _, args := range [][]string{{"logs", id}, {"exec", id, "true"}} {
		r := h.fails(1, []string{"no engine is connected: run `rdd start`"}, args...)
		if strings.Contains(r.stderr, "no container has the name") {
			t.Errorf("%v: %s", args, r.stderr)
		}
	}
}
