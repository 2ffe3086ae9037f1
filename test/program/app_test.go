// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

func TestSetErrors(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.succeeds([]string{"has no App"}, "stop")
	h.fails(1, []string{"expected PROPERTY=VALUE"}, "set", "running")
	if files := h.files(); len(files) != 0 {
		t.Errorf("a stop of nothing, and a set of nothing, made files: %v", files)
	}
	h.fails(1, []string{"unknown property"}, "set", "runing=true")
	if h.alive() {
		t.Error("a daemon that was started for what is refused goes on")
	}
	h.ok("service", "start")
	for _, test := range []struct {
		code  int
		words []string
		args  []string
	}{
		{1, []string{"unknown property", "running", "virtualMachine.cpus"}, []string{"runing=true"}},
		{1, []string{"is an object", "containerEngine.endpoint"}, []string{"containerEngine=moby"}},
		{1, []string{"expected boolean"}, []string{"running=on"}},
		{1, []string{"expected boolean"}, []string{"running="}},
		{1, []string{"running", "set twice"}, []string{"running=true", "running=false"}},
		{1, []string{"valid values", "moby", "containerd"}, []string{"containerEngine.name=docker"}},
		{1, []string{"unknown property"}, []string{"namespace=elsewhere"}},
		{3, []string{"endpoint", "unix:///"}, []string{"containerEngine.endpoint=docker.sock"}},
		{3, []string{"spec.containerEngine.endpoint", "tcp://127.0.0.1:1", "of containerd", "unix:///"},
			[]string{"containerEngine.name=containerd", "containerEngine.endpoint=tcp://127.0.0.1:1"}},
		{3, []string{"cpus", "greater than or equal to 0"}, []string{"virtualMachine.cpus=-1"}},
		{3, []string{"memory", "512Mi"}, []string{"virtualMachine.memory=1Mi"}},
		{1, []string{"memory", "expected quantity"}, []string{"virtualMachine.memory=much"}},
	} {
		h.fails(test.code, test.words, append([]string{"set"}, test.args...)...)
	}
	h.succeeds([]string{"Nothing was changed"}, "set", "--dry-run", "running=true", "containerEngine.endpoint=unix:///nowhere")
	h.fails(3, []string{"cpus"}, "set", "--dry-run", "virtualMachine.cpus=-1")
	if err := h.client().Get(t.Context(), ctrlclient.ObjectKey{Name: "app"}, &appv1alpha1.App{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run, or a refusal, made the App: %v", err)
	}
	h.fails(1, []string{"CreateFailed", "limactl was not found", "install Lima"}, "set", "running=true")
	h.fails(4, []string{"ConnectFailed", "/nowhere"}, "set", "containerEngine.endpoint=unix:///nowhere", "--timeout", "10s")
	listing := h.ok("set")
	for _, word := range []string{"running (boolean", "containerEngine.name ([moby containerd], default moby)", "virtualMachine.disk (quantity, default 100Gi)"} {
		if !strings.Contains(listing, word) {
			t.Errorf("the list of properties lacks %q:\n%s", word, listing)
		}
	}
}

func TestAppRules(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=false", "virtualMachine.cpus=") // of an App that is not there yet, too
	vm := func() string {
		t.Helper()
		return h.ok("ctl", "get", "app", "app", "-o", "jsonpath={.spec.virtualMachine}")
	}
	defaults := vm()
	contains(t, defaults, `"cpus":`, `"memory":"`, `"disk":"100Gi"`)
	for _, taken := range [][]string{
		{"virtualMachine.cpus=", "virtualMachine.memory=", "virtualMachine.disk="},
		{"virtualMachine.cpus=0", "virtualMachine.memory=0"},
	} {
		h.ok("set", "virtualMachine.cpus=1", "virtualMachine.memory=513Mi")
		contains(t, vm(), `"cpus":1`, `"memory":"513Mi"`)
		h.ok(append([]string{"set"}, taken...)...)
		if after := vm(); after != defaults {
			t.Errorf("with what was set taken back by %q the virtual machine is %s, and it was %s", taken, after, defaults)
		}
	}
	most := fmt.Sprintf("spec.virtualMachine.cpus: Invalid value: 255: must be at most %d", runtime.NumCPU())
	for _, dryRun := range [][]string{{"--dry-run"}, nil} {
		h.fails(3, []string{most}, append([]string{"set", "virtualMachine.cpus=255"}, dryRun...)...)
		h.fails(3, []string{`spec.virtualMachine.memory: Invalid value: "999999Gi": must be at most `},
			append([]string{"set", "virtualMachine.memory=999999Gi"}, dryRun...)...)
	}
	if after := vm(); after != defaults {
		t.Errorf("a refusal changed %s to %s", defaults, after)
	}
	c := h.client()
	other := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if err := c.Create(t.Context(), other); !apierrors.IsInvalid(err) ||
		!strings.Contains(err.Error(), `metadata: Invalid value: "other": there is one App, and its name is app`) {
		t.Errorf("a second App: %v", err)
	}
	app := &appv1alpha1.App{}
	if err := c.Get(t.Context(), ctrlclient.ObjectKey{Name: "app"}, app); err != nil {
		t.Fatal(err)
	}
	moved := app.DeepCopy()
	moved.Spec.Namespace = "elsewhere"
	if err := c.Update(t.Context(), moved); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "namespace is immutable") {
		t.Errorf("another namespace: %v", err)
	}
	h.ok("set", "virtualMachine.disk=200Gi")
	h.fails(3, []string{"never shrink", "has 200Gi", "was to have 100Gi"}, "set", "virtualMachine.disk=100Gi")
}

// TestStatusIsPutRight: what another client writes into the App's status, or takes
// from what it owns, does not last.
func TestStatusIsPutRight(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=true", "containerEngine.endpoint="+fakedocker.Run(t, fakedocker.Config{}).Endpoint())
	counts := "jsonpath={.status.containers}/{.status.images}/{.status.volumes}"
	if got := h.ok("ctl", "get", "containerengine", "moby", "-o", counts); got != "0/0/0" {
		t.Errorf("an empty engine has %s objects", got)
	}
	right := h.ok("ctl", "get", "app", "app", "-o", "jsonpath={.status.dockerSocket}")
	h.ok("ctl", "patch", "app", "app", "--subresource=status", "--type=merge", "-p", `{"status":{"dockerSocket":"elsewhere","conditions":[]}}`)
	h.eventually("the App's status is right again", func() (bool, string) {
		socket := h.ok("ctl", "get", "app", "app", "-o", "jsonpath={.status.dockerSocket}")
		settled := h.run("ctl", "wait-condition", "app/app", "Settled", "--timeout", "0")
		return socket == right && settled.code == 0, socket + settled.stderr
	})
	h.ok("ctl", "patch", "containerengine", "moby", "--type=merge", "-p", `{"metadata":{"ownerReferences":null}}`)
	h.eventually("the engine is the App's again", func() (bool, string) {
		owner := h.ok("ctl", "get", "containerengine", "moby", "-o", "jsonpath={.metadata.ownerReferences[*].name}")
		return owner == "app", owner
	})
}

// engine starts a simulated engine with some objects, and a client for it.
func startEngine(t *testing.T, containers int) (*fakedocker.Server, *client.Client) {
	t.Helper()
	engine := fakedocker.Run(t, fakedocker.Config{})
	engine.AddImage("busybox:latest")
	engine.AddContainers(containers, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	docker, err := client.New(client.WithHost(engine.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	return engine, docker
}

// mirrored returns the IDs of the mirrored containers, sorted.
func (h *home) mirrored() []string {
	h.t.Helper()
	var list containersv1alpha1.ContainerList
	if err := h.client().List(h.t.Context(), &list, ctrlclient.InNamespace(namespace)); err != nil {
		h.t.Fatal(err)
	}
	ids := make([]string, len(list.Items))
	for i := range list.Items {
		ids[i] = list.Items[i].Name
	}
	slices.Sort(ids)
	return ids
}

// ids returns the IDs of the engine's containers, sorted.
func ids(t *testing.T, docker *client.Client) []string {
	t.Helper()
	list, err := docker.ContainerList(t.Context(), client.ContainerListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestSetIsWhatYouGet: a `set` that returns 0 has come true.
func TestSetIsWhatYouGet(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, docker := startEngine(t, 20)
	h.succeeds([]string{"Settled: connected"}, "set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	if got, want := h.mirrored(), ids(t, docker); !slices.Equal(got, want) {
		t.Errorf("%d containers are mirrored right after set, want %d", len(got), len(want))
	}
	var status struct {
		Service struct{ Ready bool }
		App     struct {
			Running    bool
			Conditions []metav1.Condition
		}
		Engines []struct {
			Status containersv1alpha1.ContainerEngineStatus
		}
	}
	if err := json.Unmarshal([]byte(h.ok("status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	if !status.Service.Ready || !status.App.Running || len(status.App.Conditions) != 4 || len(status.Engines) != 1 {
		t.Errorf("status %+v", status)
	}
	for _, condition := range status.App.Conditions {
		if condition.Status != metav1.ConditionTrue || condition.ObservedGeneration != 1 {
			t.Errorf("condition %+v", condition)
		}
	}
	h.succeeds([]string{"Settled: stopped"}, "stop")
	if left := h.mirrored(); len(left) != 0 {
		t.Errorf("%d containers are mirrored right after stop", len(left))
	}
	if counts := engine.Counts(); counts.Running != 20 {
		t.Errorf("the engine after stop: %+v", counts)
	}
	h.ok("start")
	if got := h.mirrored(); len(got) != 20 {
		t.Errorf("%d containers are mirrored right after start", len(got))
	}
	second, _ := startEngine(t, 3)
	h.ok("set", "containerEngine.endpoint="+second.Endpoint())
	if got := h.mirrored(); len(got) != 3 {
		t.Errorf("%d containers are mirrored right after a change of the endpoint, want 3", len(got))
	}
	h.ok("ctl", "delete", "app", "app", "--timeout=60s")
	if left := h.mirrored(); len(left) != 0 {
		t.Errorf("%d containers are mirrored after the App is gone", len(left))
	}
}

// TestSIGKILLDuringBurst: whatever was in flight, after a restart the mirrors
// are equal to the engine.
func TestSIGKILLDuringBurst(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, docker := startEngine(t, 10)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	for round := range 3 {
		added := engine.AddContainers(60, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: fmt.Sprint("burst", round), Running: true})
		for _, id := range added[:20] {
			if _, err := docker.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(round) * 50 * time.Millisecond) // the moment of the kill is what is tested
		h.kill()
		engine.AddContainers(5, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: fmt.Sprint("dead", round)})
		h.ok("service", "start")
		h.eventually("the mirrors are equal", func() (bool, string) {
			got, want := h.mirrored(), ids(t, docker)
			return slices.Equal(got, want), fmt.Sprintf("%d mirrored, %d in the engine", len(got), len(want))
		})
	}
}

// TestStopEndsTheDaemonWhileTheEngineHangs: nothing waits for an engine.
func TestStopEndsTheDaemonWhileTheEngineHangs(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 10)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	engine.HangRequests(true)
	defer engine.HangRequests(false)
	began := time.Now()
	h.ok("service", "stop")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a stop took %s", took)
	}
}
