// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/registry"
)

// suiteDigests pulls one image by its digest from two repositories: it has no
// tag, and its mirror's deletion removes it.
func suiteDigests(d *driver) {
	images := registry.Start(d.t, d.engine.engineUnderTest.(registryReacher).Listen())
	digests := images.Copy(images.Push("digests/one:v1", 1, 1<<10), "digests/two:v1")
	for i, digest := range digests {
		request := d.pull(fmt.Sprintf("digest-%d", i), digest)
		d.waitPull(request, "is complete", func() bool { return isTrue(request, containersv1alpha1.ConditionComplete) })
	}
	if ce := d.getEngine("moby"); !d.has.importEvents { // nor any of another name of an image that is there
		period := ce.Resync()
		d.setResync(ce, time.Second)
		defer d.setResync(ce, period)
	}
	d.equal("moby")
	var mirror *containersv1alpha1.Image
	d.eventually("the image has both digests", func() (bool, string) {
		mirror = d.image(func(s *containersv1alpha1.ImageStatus) bool {
			return strings.Contains(fmt.Sprint(s.RepoDigests), "digests/")
		})
		return slices.Equal(mirror.Status.RepoDigests, digests[:]) && mirror.Status.RepoTag == "", fmt.Sprint(mirror.Status)
	})
	d.deleted(mirror)
	for _, digest := range digests {
		if d.hands.HasImage(d.t.Context(), digest) {
			d.t.Errorf("the engine still has %s", digest)
		}
	}
}

// suitePushes pushes an image, which has one digest more then.
func suitePushes(d *driver) {
	images := registry.Start(d.t, d.engine.engineUnderTest.(registryReacher).Listen())
	reference := images.Host() + "/pushed:v1"
	d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, busyboxImage, reference) })
	d.step(func(ctx context.Context) error {
		push, err := d.docker.ImagePush(ctx, reference, client.ImagePushOptions{RegistryAuth: "e30="}) // {}
		if err != nil {
			return err
		}
		defer func() { _ = push.Close() }()
		_, err = io.Copy(io.Discard, push)
		return err
	})
	result, err := d.docker.ImageInspect(d.t.Context(), reference)
	d.must(err)
	d.eventually("the image has the digests that the engine says", func() (bool, string) {
		have := d.imageWithTag(reference).Status.RepoDigests
		want := slices.Sorted(slices.Values(result.RepoDigests))
		return slices.Equal(have, want), fmt.Sprintf("%v, want %v", have, want)
	})
	d.step(func(ctx context.Context) error { return d.hands.Untag(ctx, reference) })
}
