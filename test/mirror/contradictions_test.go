// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// calledAtMost fails where a route is called more often than a back-off has it in
// a few seconds.
func (e *env) calledAtMost(engine *fakedocker.Server, limit int, routes ...string) {
	e.t.Helper()
	const few = 3 * time.Second
	began := time.Now()
	e.turns(engine, 50, routes...) // a loop would make a call between any two, at least
	limit *= 1 + int(time.Since(began)/few)
	for _, route := range routes {
		if n := engine.Requests()[route]; n > limit {
			e.t.Errorf("%s was called %d times in %s, want at most %d", route, n, time.Since(began), limit)
		}
	}
}

// TestEngineContradictsItselfOnDeletions: what the engine shows it will not have
// got, or it says that it has removed it. It is asked again, but not often, and
// that is reported.
func TestEngineContradictsItselfOnDeletions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name            string
		list            ctrlclient.ObjectList
		remove, inspect string
		status          int
	}{
		{"a container is not found", &containersv1alpha1.ContainerList{}, "DELETE /containers/{id}", "GET /containers/{id}/json", http.StatusNotFound},
		{"a container is removed", &containersv1alpha1.ContainerList{}, "DELETE /containers/{id}", "GET /containers/{id}/json", http.StatusNoContent},
		{"a volume is not found", &containersv1alpha1.VolumeList{}, "DELETE /volumes/{name}", "GET /volumes/{name}", http.StatusNotFound},
		{"an image is not found", &containersv1alpha1.ImageList{}, "DELETE /images/{name}", "GET /images/{name}/json", http.StatusNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, engine := newFaulty(t, fakedocker.Config{})
			engine.AddImage("other:1")
			e.connect("moby")
			e.equal("moby")
			engine.FailRoute(test.remove, test.status, -1)
			e.list(test.list)
			items, err := apimeta.ExtractList(test.list)
			e.must(err)
			object := items[0].(ctrlclient.Object)
			if image, ok := object.(*containersv1alpha1.Image); ok && image.Status.RepoTag == busyboxImage { // it is in use
				object = items[1].(ctrlclient.Object)
			}
			before := engine.Requests()[test.inspect]
			e.must(e.kube.Delete(t.Context(), object))
			e.eventually("the contradiction is reported", func() (bool, string) {
				e.must(e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(object), object))
				condition := apimeta.FindStatusCondition(conditions(object), containersv1alpha1.ConditionDeleting)
				if condition == nil {
					return false, fmt.Sprintf("%+v", object)
				}
				return condition.Reason == "Contradicted" && strings.Contains(condition.Message, "but still lists"), fmt.Sprint(condition)
			})
			e.calledAtMost(engine.Server, 12, test.remove)
			e.calledAtMost(engine.Server, before+15, test.inspect)
			engine.FailRoute(test.remove, 0, 0)
			e.eventually("it is gone", func() (bool, string) {
				err := e.kube.Get(t.Context(), ctrlclient.ObjectKeyFromObject(object), object)
				return apierrors.IsNotFound(err), fmt.Sprint(err)
			})
			e.equal("moby")
		})
	}
}

func conditions(object ctrlclient.Object) []metav1.Condition {
	switch o := object.(type) {
	case *containersv1alpha1.Container:
		return o.Status.Conditions
	case *containersv1alpha1.Image:
		return o.Status.Conditions
	case *containersv1alpha1.Volume:
		return o.Status.Conditions
	case *containersv1alpha1.Network:
		return o.Status.Conditions
	case *containersv1alpha1.ContainerNamespace:
		return o.Status.Conditions
	}
	return nil
}

// TestEngineContradictsItselfOnActs: the engine will not have the container that
// it shows when it is to be paused. A few tries, and the act has failed.
func TestEngineContradictsItselfOnActs(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	id := list.Items[0].Name
	const pause = "POST /containers/{id}/pause"
	engine.FailRoute(pause, http.StatusNotFound, -1)
	e.askAction(id, containersv1alpha1.ActionPause)
	m := e.becomes(id, containersv1alpha1.PhaseRunning)
	if last := m.Status.LastAction; last == nil || last.State != containersv1alpha1.ActionFailed || !strings.Contains(last.Error, "but still lists") {
		t.Errorf("the act: %+v", last)
	}
	e.calledAtMost(engine.Server, 5, pause)

	t.Log("and where it comes to its senses the act is done")
	engine.FailRoute(pause, http.StatusNotFound, 2)
	e.askAction(id, containersv1alpha1.ActionPause)
	if last := e.becomes(id, containersv1alpha1.PhasePaused).Status.LastAction; last.State != containersv1alpha1.ActionSucceeded {
		t.Errorf("the act: %+v", last)
	}
}
