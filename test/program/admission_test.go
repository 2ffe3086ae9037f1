// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
)

func newDemo(name, greeting string) *appv1alpha1.Demo {
	demo := &appv1alpha1.Demo{Spec: appv1alpha1.DemoSpec{Greeting: greeting}}
	demo.Name, demo.Namespace = name, namespace
	return demo
}

// heldEngine is a ContainerEngine that an App owns, as far as admission knows.
func heldEngine(name string) *containersv1alpha1.ContainerEngine {
	ce := &containersv1alpha1.ContainerEngine{Spec: containersv1alpha1.ContainerEngineSpec{
		Type: containersv1alpha1.EngineMoby, Endpoint: "unix:///nowhere",
	}}
	ce.Name, ce.Namespace = name, namespace
	ce.Finalizers = []string{finalizer.OwnedBy + "App"}
	return ce
}

// TestAdmissionFromTheFirstMoment: at the moment that the ready annotation is
// there, what must be refused is, and what must be allowed is, by each of the
// ways in which RDD decides: schema, CEL, policy and code.
func TestAdmissionFromTheFirstMoment(t *testing.T) {
	t.Parallel()
	for round := range rounds(t, 100, 5) {
		h := newHome(t)
		h.ok("service", "start", "--wait=false")
		c := earlyClient(t, h)
		sawEmpty := false
		for began := time.Now(); ; {
			discovery, _ := nextDiscovery(t, c, &sawEmpty)
			if discovery.Annotations["rdd.rancherdesktop.io/ready"] == "true" {
				break
			}
			if time.Since(began) > patience {
				t.Fatal("the daemon never became ready")
			}
		}
		if err := c.Create(t.Context(), newDemo("bad", "Hello, {{.Nam")); !apierrors.IsInvalid(err) {
			t.Errorf("round %d: by code: %v", round, err)
		}
		good := newDemo("good", "")
		if err := c.Create(t.Context(), good); err != nil || good.Spec.Name != "good" {
			t.Errorf("round %d: by code, allowed: %v %v", round, good, err)
		}
		held := heldEngine("held")
		if err := c.Create(t.Context(), held); err != nil {
			t.Errorf("round %d: by CEL, allowed: %v", round, err)
		}
		if err := c.Delete(t.Context(), held); !apierrors.IsForbidden(err) {
			t.Errorf("round %d: by policy: %v", round, err)
		}
		if err := c.Create(t.Context(), &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "other"}}); !apierrors.IsInvalid(err) {
			t.Errorf("round %d: by CEL: %v", round, err)
		}
		h.kill()
	}
}

// TestHooks: what code decides is the same whether the daemon asks it or an
// external process.
func TestHooks(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"daemon", "external"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.startWith(place, "app-controller", "app", "app", "demo")
			c := h.client()

			err := c.Create(t.Context(), newDemo("bad", "Hello, {{.Age}}!"))
			if !apierrors.IsInvalid(err) {
				t.Errorf("a greeting with what is not known: %v", err)
			}
			for _, words := range []string{"spec.greeting", `"Hello, {{.Age}}!"`, "{{.Name}}", "{{.Namespace}}"} {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("the refusal does not say %s: %v", words, err)
				}
			}

			tried := newDemo("tried", "Hi, {{.Name}}!")
			if err := c.Create(t.Context(), tried, ctrlclient.DryRunAll); err != nil || tried.Spec.Name != "tried" {
				t.Errorf("a dry run: %v %v", tried, err)
			}
			if err := c.Get(t.Context(), ctrlclient.ObjectKeyFromObject(tried), tried); !apierrors.IsNotFound(err) {
				t.Errorf("a dry run left something: %v", err)
			}

			demo := newDemo("fritz", "Hi, {{.Name}} of {{.Namespace}}!")
			if err := c.Create(t.Context(), demo); err != nil {
				t.Fatal(err)
			}
			h.greets(demo, "Hi, fritz of rancher-desktop!")
			change := ctrlclient.RawPatch(types.MergePatchType, []byte(`{"spec":{"greeting":"{{range .}}x{{end}}"}}`))
			if err := c.Patch(t.Context(), demo.DeepCopy(), change); !apierrors.IsInvalid(err) {
				t.Errorf("an update to a loop: %v", err)
			}
			change = ctrlclient.RawPatch(types.MergePatchType, []byte(`{"spec":{"name":"Franz"}}`))
			if err := c.Patch(t.Context(), demo.DeepCopy(), change); err != nil {
				t.Error(err)
			}
			h.greets(demo, "Hi, Franz of rancher-desktop!")
			if err := c.Delete(t.Context(), demo); err != nil {
				t.Error(err)
			}
		})
	}
}

func (h *home) greets(demo *appv1alpha1.Demo, message string) {
	h.t.Helper()
	c := h.client()
	h.eventually("it says "+message, func() (bool, string) {
		var now appv1alpha1.Demo
		if err := c.Get(h.t.Context(), ctrlclient.ObjectKeyFromObject(demo), &now); err != nil {
			h.t.Fatal(err)
		}
		return now.Status.Message == message && now.Status.ObservedGeneration == now.Generation, fmt.Sprint(now.Status)
	})
}

// TestHooksOfTheKilled: while nothing can decide nothing is written; the process that runs
// the controller next decides.
func TestHooksOfTheKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "*,-app,-demo")
	p := h.spawn("app-controller")
	h.runs("app", "demo")
	c := h.client()
	if err := c.Create(t.Context(), newDemo("before", "")); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if err := c.Create(t.Context(), newDemo("between", "")); err == nil {
		t.Error("an object was made while nothing could decide about it")
	}
	h.ok("service", "stop")
	h.ok("service", "start")
	h.eventually("the daemon runs the controller when the lease has expired", func() (bool, string) {
		entries := h.entries()
		return strings.Contains(fmt.Sprint(entries["embedded"].EnabledControllers), "demo"), fmt.Sprint(entries)
	})
	after := newDemo("after", "")
	if err := h.client().Create(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	h.greets(after, "Hello, after!")
	if err := h.client().Create(t.Context(), newDemo("bad", "{{.Nam")); !apierrors.IsInvalid(err) {
		t.Errorf("the daemon's hook: %v", err)
	}
}

// TestOwnedIsHeld: what the App owns is deleted with the App, and not from under
// it, nor is the namespace that has it.
func TestOwnedIsHeld(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.fails(3, []string{"owned by App app", "delete or stop the owner"}, "ctl", "delete", "containerengine", "moby")
	h.fails(3, []string{"metadata.finalizers", "the owner, App app"},
		"ctl", "patch", "containerengine", "moby", "--type=merge", "-p", `{"metadata":{"finalizers":[]}}`)
	h.fails(3, []string{"owned by App app"}, "ctl", "delete", "containerengines", "--all", "--dry-run=server")

	h.fails(3, []string{"the App app", "delete that first"}, "ctl", "delete", "namespace", namespace)
	if mirrored := h.mirrored(); len(mirrored) != 3 {
		t.Errorf("mirrored are %v after a deletion of the namespace that was refused", mirrored)
	}
	h.ok("ctl", "create", "namespace", "other")
	h.ok("ctl", "delete", "namespace", "other")

	// Orphaned or not, it is deleted before the App.
	h.ok("ctl", "patch", "containerengine", "moby", "--type=json", "-p", `[{"op":"add","path":"/metadata/finalizers/-","value":"example.com/waits"}]`)
	h.ok("ctl", "delete", "app", "app", "--cascade=orphan", "--wait=false")
	h.eventually("the engine waits for one finalizer, and for the App's", func() (bool, string) {
		shown := h.run("ctl", "get", "containerengine", "moby", "-o", "jsonpath={.metadata.ownerReferences}{.metadata.finalizers}").stdout
		return shown == `["rdd.rancherdesktop.io/owned-by-App","example.com/waits"]`, shown
	})
	h.ok("ctl", "get", "app", "app")
	h.ok("ctl", "patch", "containerengine", "moby", "--type=merge", "-p", `{"metadata":{"finalizers":["rdd.rancherdesktop.io/owned-by-App"]}}`)
	h.ok("ctl", "wait", "--for=delete", "app/app", "--timeout=30s")
	if left := h.ok("ctl", "get", "containerengines,containers", "-o", "name"); left != "" {
		t.Errorf("the App left behind: %s", left)
	}
	if n := engine.Counts().Containers; n != 3 {
		t.Errorf("the engine has %d containers after the deletion of the App", n)
	}
	h.ok("ctl", "delete", "namespace", namespace)
}

// TestActionsAreChecked: a request to a container must be one of the actions, and
// the container must exist; the refusal names the valid actions.
func TestActionsAreChecked(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	id := h.mirrored()[0]
	const annotation = containersv1alpha1.ActionAnnotation
	h.fails(3, []string{annotation, `"explode"`, "start, stop, pause, unpause, restart"}, "ctl", "annotate", "container", id, annotation+"=explode")
	made := &containersv1alpha1.Container{}
	made.Name, made.Namespace = "made", namespace
	made.Annotations = map[string]string{annotation: "start"}
	if err := h.client().Create(t.Context(), made); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "an existing container") {
		t.Errorf("an action on create: %v", err)
	}
	h.fails(3, []string{"spec.state", "running"}, "ctl", "patch", "container", id, "--type=merge", "-p", `{"spec":{"state":"flying"}}`)

	h.ok("ctl", "annotate", "container", id, annotation+"=pause")
	h.eventually("the container is paused", func() (bool, string) {
		text := h.ok("ctl", "get", "container", id, "-o", "jsonpath={.status.status} {.status.lastAction.state} {.metadata.annotations}")
		return strings.HasPrefix(text, "paused Succeeded ") && !strings.Contains(text, annotation), text
	})
}
