// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"encoding/json"
	"fmt"
	"maps"
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

// kindsOfMirrors makes an empty object of each kind.
var kindsOfMirrors = map[string]func() ctrlclient.Object{
	"container": func() ctrlclient.Object { return &containersv1alpha1.Container{} },
	"image":     func() ctrlclient.Object { return &containersv1alpha1.Image{} },
	"volume":    func() ctrlclient.Object { return &containersv1alpha1.Volume{} },
	"namespace": func() ctrlclient.Object { return &containersv1alpha1.ContainerNamespace{} },
}

// made is how many objects makeForeign makes.
const made = 6 * 4

// foreigners are objects that are not the engine's mirrors, as they were made.
type foreigners struct {
	*env
	objects []ctrlclient.Object
	texts   []string
}

// makeForeign makes objects of all kinds by hand that lack the label of the
// engine moby, or its UID, or both. other is another ContainerEngine.
func (e *env) makeForeign(other *containersv1alpha1.ContainerEngine) *foreigners {
	e.t.Helper()
	f := &foreigners{env: e}
	label := map[string]string{containersv1alpha1.EngineLabel: "moby"}
	owner := []metav1.OwnerReference{*metav1.NewControllerRef(other, containersv1alpha1.GroupVersion.WithKind("ContainerEngine"))}
	finalizer := []string{containersv1alpha1.MirrorFinalizer}
	for name, meta := range map[string]metav1.ObjectMeta{
		"plain":           {},
		"finalizer":       {Finalizers: finalizer},
		"label":           {Labels: label},
		"label-finalizer": {Labels: label, Finalizers: finalizer},
		"label-uid":       {Labels: label, OwnerReferences: owner},
		"label-uid-final": {Labels: label, OwnerReferences: owner, Finalizers: finalizer},
	} {
		for kind, empty := range kindsOfMirrors {
			object := empty()
			object.SetName(name + "-" + kind)
			object.SetNamespace(namespace)
			object.SetLabels(meta.Labels)
			object.SetOwnerReferences(meta.OwnerReferences)
			object.SetFinalizers(meta.Finalizers)
			e.must(e.kube.Create(e.t.Context(), object))
			f.add(object)
		}
	}
	return f
}

func (f *foreigners) add(object ctrlclient.Object) {
	f.t.Helper()
	text, err := f.read(object)
	f.must(err)
	f.objects, f.texts = append(f.objects, object), append(f.texts, text)
}

func (f *foreigners) read(object ctrlclient.Object) (string, error) {
	if err := f.kube.Get(f.t.Context(), ctrlclient.ObjectKeyFromObject(object), object); err != nil {
		return "", err
	}
	text, err := json.Marshal(object)
	return string(text), err
}

// check tells whether all are as they were made, byte for byte.
func (f *foreigners) check(when string) {
	f.t.Helper()
	for i, object := range f.objects {
		if text, err := f.read(object); err != nil || text != f.texts[i] {
			f.t.Errorf("%s: %s: %v\n%s, then\n%s", when, object.GetName(), err, f.texts[i], text)
		}
	}
}

// calls counts what was asked of an engine that could change it.
func calls(engine *fakedocker.Server) map[string]int {
	asked := engine.Requests()
	maps.DeleteFunc(asked, func(route string, _ int) bool {
		return strings.HasPrefix(route, "GET ") || strings.HasPrefix(route, "HEAD ")
	})
	return asked
}

// TestOwnership: what is not the owner's outlives all that an engine goes
// through, and its deletion reaches no engine.
func TestOwnership(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{ID: "first"})
	otherEngine, _ := newFake(t, fakedocker.Config{})
	otherEngine.AddContainers(2, fakedocker.ContainerOptions{Image: busyboxImage})
	otherEngine.AddVolume("data")
	other := e.createWith("other", namespace, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = otherEngine.Endpoint() })
	e.waitReason(other, containersv1alpha1.ReasonConnected)
	f := e.makeForeign(other)
	for name := range e.versions() { // the other engine's mirrors
		for _, empty := range kindsOfMirrors {
			object := empty()
			object.SetName(name)
			object.SetNamespace(namespace)
			if err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(object), object); err == nil && object.GetLabels()[containersv1alpha1.EngineLabel] == "other" {
				f.add(object)
			}
		}
	}
	if len(f.objects) != made+5 {
		t.Fatalf("there are %d objects of others", len(f.objects))
	}
	app := &appv1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Spec: appv1alpha1.AppSpec{Running: true, Namespace: namespace}}
	app.Spec.ContainerEngine.Name = "moby"
	app.Spec.ContainerEngine.Endpoint = engine.Endpoint()
	e.must(e.kube.Create(t.Context(), app))
	ce := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "moby", Namespace: namespace}}
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	f.throughAll(engine, ce, app)
	f.delete(false)
	f.objects, f.texts = f.objects[made:], f.texts[made:]
	f.check("after all that were made by hand are deleted")
	e.must(e.kube.Delete(t.Context(), app))
	e.eventually("the App is gone", func() (bool, string) {
		err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(app), app)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
	f.check("after the App's end")
	if got, want := calls(engine.Server), map[string]int{"DELETE /containers/{id}": 5}; !maps.Equal(got, want) { // the test's own
		t.Errorf("the engine was asked %v, want %v", got, want)
	}
	if got := calls(otherEngine.Server); len(got) != 0 {
		t.Errorf("the other engine was asked %v", got)
	}
}

// throughAll does to the engine moby all that may happen to it.
func (f *foreigners) throughAll(engine fakeEngine, ce *containersv1alpha1.ContainerEngine, app *appv1alpha1.App) {
	f.t.Helper()
	t, e := f.t, f.env
	f.delete(true)
	e.setResync(ce, time.Second)
	e.waitCompared(ce)
	f.check("after a full sync")

	list, err := e.docker.ContainerList(t.Context(), client.ContainerListOptions{All: true})
	e.must(err)
	for _, c := range list.Items {
		_, err := e.docker.ContainerRemove(t.Context(), c.ID, client.ContainerRemoveOptions{Force: true})
		e.must(err)
	}
	e.waitCompared(ce)
	f.check("after all of the engine's containers went")

	engine.Stop()
	e.waitReason(ce, containersv1alpha1.ReasonDisconnected)
	engine.SetID("second")
	e.must(engine.Server.Restart())
	e.waitReason(ce, containersv1alpha1.ReasonEngineChanged)
	f.check("while another engine answers")

	for _, running := range []bool{false, true} {
		e.changeApp(app, func(spec *appv1alpha1.AppSpec) { spec.Running = running })
		reason := map[bool]string{false: containersv1alpha1.ReasonStopped, true: containersv1alpha1.ReasonConnected}[running]
		e.waitReason(ce, reason)
		f.check("when it is " + reason)
	}

	next, _ := newFake(t, fakedocker.Config{})
	e.changeApp(app, func(spec *appv1alpha1.AppSpec) { spec.ContainerEngine.Endpoint = next.Endpoint() })
	e.eventually("the next endpoint is connected", func() (bool, string) {
		e.waitReason(ce, containersv1alpha1.ReasonConnected)
		return ce.Status.Endpoint == next.Endpoint(), ce.Status.Endpoint
	})
	f.check("after a change of the endpoint")

	e.restartManager()
	e.waitReason(ce, containersv1alpha1.ReasonConnected)
	f.check("after a restart of the controllers")
}

// delete deletes the objects made by hand: those that bear the finalizer, which
// then stay until its owner removes it, or the others.
func (f *foreigners) delete(finalizer bool) {
	f.t.Helper()
	for i, object := range f.objects[:made] {
		if (len(object.GetFinalizers()) > 0) != finalizer {
			continue
		}
		f.must(f.kube.Delete(f.t.Context(), object))
		if finalizer {
			text, err := f.read(object)
			f.must(err)
			f.texts[i] = text
		}
	}
}

func (e *env) changeApp(app *appv1alpha1.App, change func(*appv1alpha1.AppSpec)) {
	e.t.Helper()
	before := app.DeepCopy()
	change(&app.Spec)
	e.must(e.kube.Patch(e.t.Context(), app, ctrlclient.MergeFrom(before)))
}
