// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// suiteCommits makes images of containers, of which no comparison tells, with
// and without tags. `docker images` doesn't show those without on which others
// are built.
func suiteCommits(d *driver) {
	ce := d.getEngine("moby")
	period := ce.Resync()
	d.setResync(ce, time.Hour)
	defer d.setResync(ce, period)

	commit := func(image, reference string) string {
		d.t.Helper()
		id := d.createContainer("committed", container.Config{Image: image}, container.HostConfig{})
		var committed string
		d.step(func(ctx context.Context) error {
			result, err := d.docker.ContainerCommit(ctx, id, client.ContainerCommitOptions{Reference: reference, NoPause: true})
			committed = result.ID
			return err
		})
		d.removeContainer(id)
		return committed
	}
	untagged := commit(busyboxImage, "")
	onUntagged := commit(untagged, "")
	d.step(func(ctx context.Context) error { // shows the one that it was built on again
		_, err := d.docker.ImageRemove(ctx, onUntagged, client.ImageRemoveOptions{PruneChildren: false})
		return err
	})
	commit(busyboxImage, "parent:1")
	child := commit("parent:1", "child:1")
	d.step(func(ctx context.Context) error { return d.hands.Untag(ctx, "parent:1") })
	d.step(func(ctx context.Context) error { return d.hands.Tag(ctx, child, "child:2") })
	for _, image := range []string{"child:1", "child:2", untagged} {
		d.step(func(ctx context.Context) error { return d.hands.Untag(ctx, image) })
	}
}
