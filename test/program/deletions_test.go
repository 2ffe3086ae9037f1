// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// inUse is an instance whose engine has used and unused objects.
type inUse struct {
	*home
	engine *fakedocker.Server
	docker *client.Client
	kube   ctrlclient.WithWatch
	users  []string // IDs of the containers
}

func startInUse(t *testing.T, h *home) *inUse {
	t.Helper()
	engine, docker := startEngine(t, 0)
	users := engine.AddContainers(2, fakedocker.ContainerOptions{Image: "used:1", Volume: "data", NamePrefix: "web-"})
	engine.AddImage("spare:1")
	for i := range 3 {
		engine.AddVolume(fmt.Sprintf("spare-%d", i))
	}
	h.connectTo(engine)
	return &inUse{h, engine, docker, h.client(), users}
}

func (u *inUse) volume(name string) *containersv1alpha1.Volume {
	u.t.Helper()
	v := &containersv1alpha1.Volume{}
	u.eventually("the volume "+name+" is mirrored", func() (bool, string) {
		err := u.kube.Get(u.t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: containersv1alpha1.VolumeName("hand", name)}, v)
		return err == nil && v.Status.Name == name, fmt.Sprint(err)
	})
	return v
}

// image returns the Image of a tag.
func (u *inUse) image(tag string) *containersv1alpha1.Image {
	u.t.Helper()
	var found *containersv1alpha1.Image
	u.eventually("the image "+tag+" is mirrored", func() (bool, string) {
		var images containersv1alpha1.ImageList
		err := u.kube.List(u.t.Context(), &images, ctrlclient.InNamespace(namespace))
		for i := range images.Items {
			if images.Items[i].Status.RepoTag == tag {
				found = &images.Items[i]
			}
		}
		return err == nil && found != nil, fmt.Sprint(err)
	})
	return found
}

// force annotates an object.
func (u *inUse) force(object ctrlclient.Object) {
	u.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, containersv1alpha1.ForceAnnotation)
	if err := u.kube.Patch(u.t.Context(), object, ctrlclient.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		u.t.Fatal(err)
	}
}

func (u *inUse) gone(object ctrlclient.Object) {
	u.t.Helper()
	u.eventually(object.GetName()+" is gone", func() (bool, string) {
		err := u.kube.Get(u.t.Context(), ctrlclient.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// TestDeletionOfWhatIsInUse: what the engine would refuse to remove the API
// server refuses to delete, at once and with the names of the users, wherever the
// engine's controller runs. Nothing of it reaches the engine.
func TestDeletionOfWhatIsInUse(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"daemon", "external"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.startWith(place, "containers-controller", "engine", "containers", "engine")
			u := startInUse(t, h)
			u.refusesWhatIsInUse()
			u.deletesByForce()
			u.neverRefusesAnEnd()
		})
	}
}

func (u *inUse) refusesWhatIsInUse() {
	u.t.Helper()
	volume, image := u.volume("data"), u.image("used:1")
	words := []string{"Forbidden", `volumes.containers.rancherdesktop.io "` + volume.Name + `" is forbidden`, "volume data is used by containers web-1, web-2",
		"remove them first", containersv1alpha1.ForceAnnotation}
	u.fails(3, words, "ctl", "delete", "volume", volume.Name)
	u.fails(3, words, "ctl", "delete", "volume", volume.Name, "--dry-run=server")
	u.fails(3, []string{"image used:1 is used by containers web-1, web-2"}, "ctl", "delete", "image", image.Name)
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
		if err := u.kube.Delete(u.t.Context(), volume.DeepCopy(), ctrlclient.PropagationPolicy(policy)); !apierrors.IsForbidden(err) {
			u.t.Errorf("deletion with %s: %v", policy, err)
		}
	}
	err := u.kube.DeleteAllOf(u.t.Context(), &containersv1alpha1.Volume{}, ctrlclient.InNamespace(namespace),
		ctrlclient.MatchingFields{"status.name": "data"})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), volume.Name) {
		u.t.Errorf("deletion of a collection: %v", err)
	}
	r := u.fails(3, words, "ctl", "delete", "volumes", "--all")
	if n := strings.Count(r.stdout, " deleted"); n != 3 {
		u.t.Errorf("of all volumes %d were deleted, want 3:\n%s%s", n, r.stdout, r.stderr)
	}
	if again := u.volume("data"); again.UID != volume.UID || again.DeletionTimestamp != nil || again.ResourceVersion != volume.ResourceVersion {
		u.t.Errorf("a refusal changed the object: %+v", again.ObjectMeta)
	}

	u.t.Log("an image that has another name loses one")
	u.engine.AddImage("other:1")
	u.gone(u.tagged("used:1", "second:1"))
	for _, name := range []string{"data", "used:1"} {
		if asked := u.engine.Removals(name); len(asked) != 0 {
			u.t.Errorf("the engine was asked to remove %s: %q", name, asked)
		}
	}

	u.t.Log("when the containers are gone it is deleted")
	u.ok("ctl", "delete", "container", u.users[0], u.users[1])
	u.ok("ctl", "delete", "volume", volume.Name)
	u.ok("ctl", "delete", "image", image.Name)
	if counts := u.engine.Counts(); counts.Volumes != 0 || counts.Containers != 0 {
		u.t.Errorf("the engine has %+v", counts)
	}
}

// tagged gives an image another tag, and deletes that.
func (u *inUse) tagged(reference, tag string) *containersv1alpha1.Image {
	u.t.Helper()
	if _, err := u.docker.ImageTag(u.t.Context(), client.ImageTagOptions{Source: reference, Target: tag}); err != nil {
		u.t.Fatal(err)
	}
	image := u.image(tag)
	u.ok("ctl", "delete", "image", image.Name)
	return image
}

// deletesByForce: the annotation passes, and the engine decides.
func (u *inUse) deletesByForce() {
	u.t.Helper()
	u.users = u.engine.AddContainers(1, fakedocker.ContainerOptions{Image: "forced:1", Volume: "forced", NamePrefix: "app-"})
	image, volume := u.image("forced:1"), u.volume("forced")
	u.eventually("the container is mirrored", func() (bool, string) { return len(u.mirrored()) == 1, fmt.Sprint(u.mirrored()) })
	u.force(image)
	u.force(volume)
	if err := u.kube.Delete(u.t.Context(), image); err != nil {
		u.t.Errorf("by force: %v", err)
	}
	u.gone(image)
	if err := u.kube.Delete(u.t.Context(), volume); err != nil {
		u.t.Errorf("by force: %v", err)
	}
	again := &containersv1alpha1.Volume{}
	u.eventually("the engine refuses, and the Volume is a new one", func() (bool, string) {
		err := u.kube.Get(u.t.Context(), ctrlclient.ObjectKeyFromObject(volume), again)
		return err == nil && again.UID != volume.UID && apimeta.IsStatusConditionTrue(again.Status.Conditions, containersv1alpha1.ConditionDeletionRefused),
			fmt.Sprint(err, again.Status.Conditions)
	})
	for _, name := range []string{"forced:1", "forced"} {
		if asked := u.engine.Removals(name); len(asked) != 1 || !strings.Contains(asked[0], "force=1") {
			u.t.Errorf("%s was removed with %q", name, asked)
		}
	}
	contains(u.t, u.ok("volumes"), "deletion refused", "volume is in use")
	status := u.ok("status")
	contains(u.t, status, "deletion-refused", "volume forced", "volume is in use")
	contains(u.t, u.ok("ctl", "get", "events", "-n", namespace), "DeletionRefused")
}

// neverRefusesAnEnd: a stop, the deletion of the ContainerEngine and that of the
// namespace end what is in use, too. The engine keeps it.
func (u *inUse) neverRefusesAnEnd() {
	u.t.Helper()
	hand := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "hand", Namespace: namespace}}
	for _, running := range []bool{false, true} {
		patch := fmt.Sprintf(`{"spec":{"running":%t}}`, running)
		if err := u.kube.Patch(u.t.Context(), hand, ctrlclient.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			u.t.Fatal(err)
		}
		u.eventually(fmt.Sprintf("running is %t", running), func() (bool, string) { return (len(u.mirrored()) > 0) == running, fmt.Sprint(u.mirrored()) })
	}
	if err := u.kube.Delete(u.t.Context(), hand, ctrlclient.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		u.t.Fatal(err)
	}
	u.gone(hand)
	other := &containersv1alpha1.ContainerEngine{Spec: containersv1alpha1.ContainerEngineSpec{Type: containersv1alpha1.EngineMoby, Endpoint: u.engine.Endpoint()}}
	other.Name, other.Namespace = "other", "elsewhere"
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: other.Namespace}}
	for _, object := range []ctrlclient.Object{n, other} {
		if err := u.kube.Create(u.t.Context(), object); err != nil {
			u.t.Fatal(err)
		}
	}
	u.eventually("its volume is mirrored", func() (bool, string) {
		var volumes containersv1alpha1.VolumeList
		err := u.kube.List(u.t.Context(), &volumes, ctrlclient.InNamespace(other.Namespace))
		return err == nil && len(volumes.Items) == 1, fmt.Sprint(err, len(volumes.Items))
	})
	if err := u.kube.Delete(u.t.Context(), n); err != nil {
		u.t.Fatal(err)
	}
	u.gone(n)
	if counts := u.engine.Counts(); counts.Volumes != 1 || counts.Containers != 1 {
		u.t.Errorf("the engine has %+v", counts)
	}
}
