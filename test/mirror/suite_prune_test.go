// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// suitePrunes has the engine remove what nothing uses. Of volumes it may tell
// only that it did, and not which.
func suitePrunes(d *driver) {
	used := d.createContainer("used", container.Config{}, container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Target: "/data"}}})
	d.step(func(ctx context.Context) error { return d.hands.Start(ctx, used) })
	for _, name := range []string{"unused", "unused-too"} {
		d.step(func(ctx context.Context) error { // with no name, as newer engines keep those that have one
			_, err := d.docker.VolumeCreate(ctx, client.VolumeCreateOptions{})
			return err
		})
		d.createContainer(name, container.Config{}, container.HostConfig{})
	}
	d.engine.AnotherImage()
	d.importedEqual()
	d.step(func(ctx context.Context) error {
		_, err := d.docker.ContainerPrune(ctx, client.ContainerPruneOptions{})
		return err
	})
	d.step(func(ctx context.Context) error {
		_, err := d.docker.VolumePrune(ctx, client.VolumePruneOptions{})
		return err
	})
	if left, err := d.docker.VolumeList(d.t.Context(), client.VolumeListOptions{}); err != nil || len(left.Items) != 1 {
		d.t.Errorf("volumes after they were pruned: %v, %v", left.Items, err)
	}
	d.step(func(ctx context.Context) error {
		_, err := d.docker.ImagePrune(ctx, client.ImagePruneOptions{})
		return err
	})
	d.removeContainer(used)
	d.step(func(ctx context.Context) error {
		_, err := d.docker.VolumePrune(ctx, client.VolumePruneOptions{})
		return err
	})
}
