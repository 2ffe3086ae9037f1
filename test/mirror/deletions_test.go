// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// volume returns the Volume of a volume.
func (e *env) volume(name string) *containersv1alpha1.Volume {
	e.t.Helper()
	v := &containersv1alpha1.Volume{}
	e.must(e.kube.Get(e.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: containersv1alpha1.VolumeName("moby", name)}, v))
	return v
}

// imageTagged returns the Image of a tag.
func (e *env) imageTagged(tag string) *containersv1alpha1.Image {
	e.t.Helper()
	var images containersv1alpha1.ImageList
	e.list(&images)
	for i := range images.Items {
		if images.Items[i].Status.RepoTag == tag {
			return &images.Items[i]
		}
	}
	e.t.Fatalf("there is no image %s", tag)
	return nil
}

// warnings returns the Warning Events on an object, by their reasons, with how
// often each was emitted.
func (e *env) warnings(uid types.UID) map[string]int {
	e.t.Helper()
	var events corev1.EventList
	e.list(&events)
	found := map[string]int{}
	for _, event := range events.Items {
		if event.InvolvedObject.UID == uid && event.Type == corev1.EventTypeWarning {
			found[event.Reason] += max(1, int(event.Count))
		}
	}
	return found
}

// waitReplaced waits until an object was replaced by one that says that the
// engine refused the deletion, in words, and returns that.
func waitReplaced[T ctrlclient.Object](e *env, deleted T, words string) T {
	e.t.Helper()
	now := deleted.DeepCopyObject().(T)
	e.eventually("the object is replaced, and says why", func() (bool, string) {
		err := e.kube.Get(e.t.Context(), ctrlclient.ObjectKeyFromObject(deleted), now)
		if err != nil || now.GetUID() == deleted.GetUID() || now.GetDeletionTimestamp() != nil {
			return false, fmt.Sprintf("%v, UID %s, before %s, deletion %v", err, now.GetUID(), deleted.GetUID(), now.GetDeletionTimestamp())
		}
		refused := apimeta.FindStatusCondition(conditions(now), containersv1alpha1.ConditionDeletionRefused)
		return refused != nil && refused.Status == metav1.ConditionTrue && strings.Contains(refused.Message, words), fmt.Sprint(conditions(now))
	})
	return now
}

// TestFailedDeletionIsVisible: the engine can't remove a container's file system.
// The mirror is as the engine has it, with the engine's words, and the removal is
// tried again until it succeeds.
func TestFailedDeletionIsVisible(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	ce := e.connect("moby")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	id := list.Items[0].Name
	engine.FailRemoval(id, http.StatusInternalServerError, -1, func(try int) string {
		return fmt.Sprintf("container %s: driver \"overlay2\" failed to remove root filesystem: unlinkat /tmp/x%d: device or resource busy", id, 7919*try)
	})
	m := e.container(id)
	e.must(e.kube.Delete(t.Context(), m))
	e.eventually("the container is dead, and the condition has the engine's words", func() (bool, string) {
		m = e.container(id)
		deleting := apimeta.FindStatusCondition(m.Status.Conditions, containersv1alpha1.ConditionDeleting)
		return m.Status.Status == containersv1alpha1.PhaseDead && apimeta.IsStatusConditionFalse(m.Status.Conditions, containersv1alpha1.ConditionRunning) &&
				deleting != nil && deleting.Status == metav1.ConditionFalse && strings.Contains(deleting.Message, "failed to remove root filesystem"),
			fmt.Sprintf("%s %v", m.Status.Status, m.Status.Conditions)
	})
	e.eventually("it is tried again", func() (bool, string) {
		n := len(engine.Removals(id))
		return n >= 5, fmt.Sprint(n)
	})
	e.eventually("one Event says so", func() (bool, string) {
		found := e.warnings(m.UID)
		return len(found) == 1, fmt.Sprint(found)
	})
	if found := e.warnings(m.UID); found[containersv1alpha1.ReasonDeletionFailed] != 1 {
		t.Errorf("the Events of one failure with other words each time: %v", found)
	}
	e.eventually("the ContainerEngine counts it", func() (bool, string) {
		ce = e.getEngine("moby")
		complete := apimeta.FindStatusCondition(ce.Status.Conditions, containersv1alpha1.ConditionComplete)
		return ce.Status.Failed == 1 && complete != nil && complete.Reason == containersv1alpha1.ReasonDeletionFailed &&
			strings.Contains(complete.Message, "failed to remove root filesystem"), fmt.Sprint(ce.Status.Failed, ce.Status.Conditions)
	})
	synced := apimeta.FindStatusCondition(e.container(id).Status.Conditions, containersv1alpha1.ConditionSynced)
	if synced == nil || synced.Status != metav1.ConditionFalse || synced.Reason != containersv1alpha1.ReasonDeletionFailed {
		t.Errorf("Synced on the Container: %+v", synced)
	}
	e.calledAtMost(engine.Server, 14, "DELETE /containers/{id}")
	engine.FailRemoval(id, 0, 0, nil)
	e.waitGone(m)
	e.equal("moby")
	e.eventually("nothing is left of it", func() (bool, string) {
		ce = e.getEngine("moby")
		return ce.Status.Failed == 0 && apimeta.IsStatusConditionTrue(ce.Status.Conditions, containersv1alpha1.ConditionComplete), fmt.Sprint(ce.Status)
	})
}

// TestHungDeletionDelaysOnlyItself: removals that the engine does not answer are
// on their objects after some seconds, and other deletions proceed.
func TestHungDeletionDelaysOnlyItself(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.AddContainers(10, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
	e.connect("moby")
	e.equal("moby")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	const hung = 12 // more than there are workers
	for i := range hung {
		release := engine.HangRemoval(list.Items[i].Name)
		t.Cleanup(release)
		e.must(e.kube.Delete(t.Context(), &list.Items[i]))
	}
	began := time.Now()
	name := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage})[0]
	e.eventually("a new container is mirrored", func() (bool, string) {
		_, ok := e.mirrorSide("moby")["container "+name]
		return ok, ""
	})
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a new container was mirrored after %s", took)
	}
	e.eventually("a hung removal is on its object", func() (bool, string) {
		m := e.container(list.Items[0].Name)
		return m.Status.Status == containersv1alpha1.PhaseRemoving && apimeta.IsStatusConditionFalse(m.Status.Conditions, containersv1alpha1.ConditionDeleting) &&
			apimeta.IsStatusConditionFalse(m.Status.Conditions, containersv1alpha1.ConditionSynced), fmt.Sprint(m.Status.Status, m.Status.Conditions)
	})
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("a hung removal was on its object after %s", took)
	}
	last := &list.Items[hung]
	e.must(e.kube.Delete(t.Context(), last))
	e.waitGone(last)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("another deletion took %s", took)
	}
}

// TestRefusedDeletionEndsTheWish: what the engine refuses to remove it does not
// remove later either: the object is a new one, which says so.
func TestRefusedDeletionEndsTheWish(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	user := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "used:1", Volume: "in-use", Running: true})[0]
	e.connect("moby")
	e.equal("moby")
	volume, image := e.volume("in-use"), e.imageTagged("used:1")
	e.must(e.kube.Delete(t.Context(), volume))
	e.must(e.kube.Delete(t.Context(), image, ctrlclient.PropagationPolicy(metav1.DeletePropagationForeground)))
	again, other := waitReplaced(e, volume, "volume is in use"), waitReplaced(e, image, "is using its referenced image")
	for _, object := range []ctrlclient.Object{again, other} {
		e.eventually("an Event says so", func() (bool, string) {
			found := e.warnings(object.GetUID())
			return found["DeletionRefused"] == 1 && len(found) == 1, fmt.Sprint(found)
		})
	}
	if again.Status.Name != "in-use" || again.Status.Driver != volume.Status.Driver {
		t.Errorf("the new object: %+v", again.Status)
	}
	if ce := e.getEngine("moby"); ce.Status.Failed != 0 {
		t.Errorf("a refusal is counted as a failure: %+v", ce.Status)
	}

	t.Log("the container goes, and neither goes with it")
	_, err := e.docker.ContainerRemove(t.Context(), user, client.ContainerRemoveOptions{Force: true})
	e.must(err)
	e.waitGone(&containersv1alpha1.Container{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user}})
	e.restartManager()
	e.waitReason(e.getEngine("moby"), containersv1alpha1.ReasonConnected)
	for _, name := range []string{"in-use", "used:1"} {
		if n := len(engine.Removals(name)); n != 1 {
			t.Errorf("the engine was asked %d times to remove %s", n, name)
		}
	}
	e.equal("moby")

	t.Log("and a new deletion is a new request")
	e.must(e.kube.Delete(t.Context(), again))
	e.waitGone(again)
	e.equal("moby")
}

// TestRefusalIsRememberedOverACrash: the daemon was killed after the engine had
// refused and before the object was replaced. The deletion is not carried out.
func TestRefusalIsRememberedOverACrash(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.AddVolume("accepted")
	e.connect("moby")
	e.equal("moby")
	refused, accepted := e.volume("data"), e.volume("accepted")
	e.stopManager()
	e.must(e.kube.Delete(t.Context(), refused))
	refused = e.volume("data")
	refused.Status.Conditions = append(refused.Status.Conditions, metav1.Condition{
		Type: containersv1alpha1.ConditionDeletionRefused, Status: metav1.ConditionTrue, Reason: "Refused",
		Message: "remove data: volume is in use", LastTransitionTime: metav1.Now(), ObservedGeneration: refused.Generation,
	})
	e.must(e.kube.Status().Update(t.Context(), refused))
	e.must(e.kube.Delete(t.Context(), accepted))
	e.startManager()
	waitReplaced(e, refused, "volume is in use")
	e.waitGone(accepted)
	if n := len(engine.Removals("data")); n != 0 {
		t.Errorf("the engine was asked %d times to remove what it had refused to", n)
	}
	if n := len(engine.Removals("accepted")); n != 1 {
		t.Errorf("the engine was asked %d times to remove what was deleted while no daemon ran", n)
	}
	e.equal("moby")
}

// TestRefusalWithAFinalizerOfOthers: an object that others hold can't be
// replaced. It keeps the refusal, and is not removed from the engine.
func TestRefusalWithAFinalizerOfOthers(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	user := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Volume: "held", Running: true})[0]
	e.setResync(e.connect("moby"), time.Second)
	e.equal("moby")
	volume := e.volume("held")
	volume.Finalizers = append(volume.Finalizers, "example.com/backup")
	e.must(e.kube.Update(t.Context(), volume))
	e.must(e.kube.Delete(t.Context(), volume))
	e.eventually("the object has the refusal", func() (bool, string) {
		volume = e.volume("held")
		return apimeta.IsStatusConditionTrue(volume.Status.Conditions, containersv1alpha1.ConditionDeletionRefused), fmt.Sprint(volume.Status.Conditions)
	})
	_, err := e.docker.ContainerRemove(t.Context(), user, client.ContainerRemoveOptions{Force: true})
	e.must(err)
	e.waitCompared(e.getEngine("moby"))
	if n := len(engine.Removals("held")); n != 1 {
		t.Errorf("the engine was asked %d times to remove it", n)
	}
	patch := `{"metadata":{"finalizers":["` + containersv1alpha1.MirrorFinalizer + `"]}}`
	e.must(e.kube.Patch(t.Context(), volume.DeepCopy(), ctrlclient.RawPatch(types.MergePatchType, []byte(patch))))
	waitReplaced(e, volume, "volume is in use")
	e.equal("moby")
}

// TestForcedDeletion: the annotation asks for the engine's forced remove.
func TestForcedDeletion(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	engine.AddContainers(1, fakedocker.ContainerOptions{Image: "forced:1"})
	engine.AddVolume("forced")
	e.connect("moby")
	e.equal("moby")
	for name, object := range map[string]ctrlclient.Object{"forced:1": e.imageTagged("forced:1"), "forced": e.volume("forced")} {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, containersv1alpha1.ForceAnnotation)
		e.must(e.kube.Patch(t.Context(), object, ctrlclient.RawPatch(types.MergePatchType, []byte(patch))))
		e.must(e.kube.Delete(t.Context(), object))
		e.waitGone(object)
		if asked := engine.Removals(name); len(asked) != 1 || !strings.Contains(asked[0], "force=1") {
			t.Errorf("%s was removed with %q", name, asked)
		}
	}
	e.equal("moby")
}

// TestActThatIsTriedAgainIsVisible: the engine can't pause a container for a
// while. That is on the object until it is done.
func TestActThatIsTriedAgainIsVisible(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	var list containersv1alpha1.ContainerList
	e.list(&list)
	id := list.Items[0].Name
	const pause = "POST /containers/{id}/pause"
	engine.FailRoute(pause, http.StatusServiceUnavailable, -1)
	e.askAction(id, containersv1alpha1.ActionPause)
	e.eventually("it is on the object", func() (bool, string) {
		synced := apimeta.FindStatusCondition(e.container(id).Status.Conditions, containersv1alpha1.ConditionSynced)
		return synced != nil && synced.Status == metav1.ConditionFalse && synced.Reason == containersv1alpha1.ReasonActFailed &&
			strings.Contains(synced.Message, "pause") && strings.Contains(synced.Message, "set to fail"), fmt.Sprint(synced)
	})
	engine.FailRoute(pause, 0, 0)
	e.becomes(id, containersv1alpha1.PhasePaused)
	e.eventually("it is no longer on the object", func() (bool, string) {
		synced := apimeta.FindStatusCondition(e.container(id).Status.Conditions, containersv1alpha1.ConditionSynced)
		return synced == nil && e.getEngine("moby").Status.Failed == 0, fmt.Sprint(synced)
	})
}
