// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/moby/moby/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// forbid makes a policy that refuses a resource by an expression, and waits until
// it refuses try. The result ends it.
func (e *env) forbid(resource, operation, expression string, try func() error) (end func()) {
	e.t.Helper()
	object := func(kind string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": map[string]any{"name": "users-own"}, "spec": spec,
		}}
	}
	policy := object("ValidatingAdmissionPolicy", map[string]any{
		"matchConstraints": map[string]any{"resourceRules": []any{map[string]any{
			"apiGroups": []any{containersv1alpha1.GroupVersion.Group}, "apiVersions": []any{"*"}, "operations": []any{operation}, "resources": []any{resource},
		}}},
		"validations": []any{map[string]any{"expression": expression, "message": "the user does not want this one"}},
	})
	binding := object("ValidatingAdmissionPolicyBinding", map[string]any{"policyName": "users-own", "validationActions": []any{"Deny"}})
	e.must(e.kube.Create(e.t.Context(), policy))
	e.must(e.kube.Create(e.t.Context(), binding))
	e.eventually("the policy holds", func() (bool, string) {
		err := try()
		return err != nil, fmt.Sprint(err)
	})
	return func() {
		e.must(e.kube.Delete(e.t.Context(), binding))
		e.must(e.kube.Delete(e.t.Context(), policy))
	}
}

// TestPolicyRefusesAMirror: what a user's policy refuses is said at once, not
// asked for all the time, and heals by itself.
func TestPolicyRefusesAMirror(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	e.equal("moby")
	allow := e.forbid("volumes", "CREATE", "false", func() error {
		return e.kube.Create(t.Context(), &containersv1alpha1.Volume{ObjectMeta: metav1.ObjectMeta{Name: "try", Namespace: namespace}}, ctrlclient.DryRunAll)
	})
	began := time.Now()
	engine.AddVolume("unwanted")
	e.waitComplete("moby", containersv1alpha1.ReasonWriteRefused, 1, "volume unwanted", "the user does not want this one")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("said after %s", took)
	}
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
	e.mirrored(id, containersv1alpha1.PhaseRunning)
	time.Sleep(2 * time.Second)
	if n := e.eventsOf("ContainerEngine", "moby", containersv1alpha1.ReasonWriteRefused); n != 1 {
		t.Errorf("%d Events", n)
	}
	if n := engine.Requests()["GET /volumes/{name}"]; n > 20 {
		t.Errorf("it was tried %d times", n)
	}
	t.Log("a mirror that is not wanted any longer is not a problem")
	engine.AddVolume("second")
	e.waitComplete("moby", containersv1alpha1.ReasonWriteRefused, 2, "and 1 more")
	_, err := e.docker.VolumeRemove(t.Context(), "second", client.VolumeRemoveOptions{})
	e.must(err)
	e.waitComplete("moby", containersv1alpha1.ReasonWriteRefused, 1, "volume unwanted")
	allow()
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.equal("moby")
}

// TestPolicyRefusesAnUpdate: the mirror that is there says that it is old.
func TestPolicyRefusesAnUpdate(t *testing.T) {
	t.Parallel()
	e, _ := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	e.equal("moby")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	c := &list.Items[0]
	allow := e.forbid("containers/status", "UPDATE", "object.status.status != 'paused'", func() error {
		paused := c.DeepCopy()
		paused.Status.Status = containersv1alpha1.PhasePaused
		return e.kube.Status().Update(t.Context(), paused, ctrlclient.DryRunAll)
	})
	_, err := e.docker.ContainerPause(t.Context(), c.Name, client.ContainerPauseOptions{})
	e.must(err)
	e.waitComplete("moby", containersv1alpha1.ReasonWriteRefused, 1, "container "+c.Status.Name, "the user does not want this one")
	e.waitSynced(c, containersv1alpha1.ReasonWriteRefused)
	e.eventually("one Event tells it", func() (bool, string) {
		n := e.eventsOf("Container", c.Name, containersv1alpha1.ReasonWriteRefused)
		return n == 1, fmt.Sprint(n)
	})
	t.Log("a manager that begins anew finds the same, and then that it is over")
	e.restartManager()
	e.waitComplete("moby", containersv1alpha1.ReasonWriteRefused, 1, "container "+c.Status.Name)
	allow()
	e.waitSynced(c, "")
	e.waitComplete("moby", containersv1alpha1.ReasonComplete, 0)
	e.equal("moby")
}
