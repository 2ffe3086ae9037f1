// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// suiteDeletions deletes mirrors, and what they stand for with them.
func suiteDeletions(d *driver) {
	if d.has.api {
		deleteVolumeInUse(d)
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

// deleteVolumeInUse deletes the mirror of a volume, which stays until nothing
// uses it.
func deleteVolumeInUse(d *driver) {
	d.t.Helper()
	d.step(func(ctx context.Context) error {
		_, err := d.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: "in-use"})
		return err
	})
	id := d.run("uses", container.Config{}, container.HostConfig{Binds: []string{"in-use:/data"}})
	volume := &containersv1alpha1.Volume{}
	volume.Name, volume.Namespace = containersv1alpha1.VolumeName("moby", "in-use"), namespace
	d.must(d.kube.Delete(d.t.Context(), volume))
	d.eventually("the engine refuses to remove a volume in use", func() (bool, string) {
		d.must(d.kube.Get(d.t.Context(), ctrlclient.ObjectKeyFromObject(volume), volume))
		return apimeta.IsStatusConditionFalse(volume.Status.Conditions, containersv1alpha1.ConditionDeleting), fmt.Sprint(volume.Status.Conditions)
	})
	d.deleted(d.container(id))
	d.waitGone(volume)
	d.equal("moby")
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
