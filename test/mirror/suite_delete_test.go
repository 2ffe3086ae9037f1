// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// suiteDeletions deletes mirrors, and what they stand for with them.
func suiteDeletions(d *driver) {
	if d.has.api {
		deleteVolumeInUse(d)
	} else {
		deleteNamespaceInUse(d)
	}
	d.deleted(d.container(d.run("deleted", container.Config{}, container.HostConfig{})))

	for _, reference := range []string{"deleted:1", "deleted:2"} {
		d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, busyboxImage, reference) })
		d.deleted(d.image(func(s *containersv1alpha1.ImageStatus) bool { return strings.HasSuffix(s.RepoTag, reference) }))
	}
	dangling := d.engine.AnotherImage()
	d.importedEqual()
	d.deleted(d.image(func(s *containersv1alpha1.ImageStatus) bool { return s.ID == dangling }))
}

// deleteVolumeInUse deletes the mirror of a volume that a container uses, as a
// client of a cluster without RDD's admission can. The engine refuses, which ends
// the deletion: the volume is not removed when the container is.
func deleteVolumeInUse(d *driver) {
	d.t.Helper()
	d.step(func(ctx context.Context) error {
		_, err := d.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "in-use"})
		return err
	})
	id := d.run("uses", container.Config{}, container.HostConfig{Binds: []string{"in-use:/data"}})
	volume := d.volume("in-use")
	d.must(d.kube.Delete(d.t.Context(), volume))
	again := waitReplaced(d.env, volume, "use")
	d.deleted(d.container(id))
	if _, err := d.docker.VolumeInspect(d.t.Context(), "in-use", client.VolumeInspectOptions{}); err != nil {
		d.t.Errorf("the volume whose deletion was refused: %v", err)
	}
	d.deleted(again)
}

// deleteNamespaceInUse deletes the mirror of a namespace that is not empty, and
// asks for force, which containerd does not know.
func deleteNamespaceInUse(d *driver) {
	d.t.Helper()
	id := d.run("in-namespace", container.Config{}, container.HostConfig{})
	var all containersv1alpha1.ContainerNamespaceList
	d.list(&all)
	for i := range all.Items {
		n := &all.Items[i]
		if n.Status.Name != d.inEngine {
			continue
		}
		metav1.SetMetaDataAnnotation(&n.ObjectMeta, containersv1alpha1.ForceAnnotation, "true")
		d.must(d.kube.Update(d.t.Context(), n))
		d.must(d.kube.Delete(d.t.Context(), n))
		waitReplaced(d.env, n, "must be empty")
	}
	d.deleted(d.container(id))
}

// deleted deletes a mirror and waits until it is gone, and the engine has
// nothing of the kind either.
func (d *driver) deleted(mirror ctrlclient.Object) {
	d.t.Helper()
	d.must(d.kube.Delete(d.t.Context(), mirror))
	d.waitGone(mirror)
	d.equal("moby")
}

// image returns the one Image whose status is as it should be.
func (d *driver) image(is func(*containersv1alpha1.ImageStatus) bool) *containersv1alpha1.Image {
	d.t.Helper()
	var images containersv1alpha1.ImageList
	d.list(&images)
	var found *containersv1alpha1.Image
	for i := range images.Items {
		if is(&images.Items[i].Status) {
			if found != nil {
				d.t.Fatalf("two images: %s and %s", found.Name, images.Items[i].Name)
			}
			found = &images.Items[i]
		}
	}
	if found == nil {
		d.t.Fatal("there is no such image")
	}
	return found
}
