// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// Remove implements [engine.Engine].
func (e *Engine) Remove(ctx context.Context, key engine.Key, options engine.RemoveOptions) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := e.remove(ctx, key, options)
	if cerrdefs.IsInternal(err) && !errors.Is(err, engine.ErrRefused) {
		return fmt.Errorf("%w: %w", engine.ErrFailed, err)
	}
	return err
}

func (e *Engine) remove(ctx context.Context, key engine.Key, options engine.RemoveOptions) error {
	var err error
	switch key.Kind {
	case engine.KindContainer:
		_, err = e.api().ContainerRemove(ctx, key.ID, client.ContainerRemoveOptions{Force: true})
	case engine.KindVolume:
		_, err = e.api().VolumeRemove(ctx, key.ID, client.VolumeRemoveOptions{Force: options.Force})
	case engine.KindNetwork:
		return e.removeNetwork(ctx, key)
	case engine.KindImage:
		return e.removeImage(ctx, key.ID, options)
	case engine.KindNamespace:
		return fmt.Errorf("remove the namespace %s: %w", key.ID, errors.ErrUnsupported)
	default:
		return fmt.Errorf("%w: a %s can't be removed", engine.ErrRefused, key.Kind)
	}
	return translate(err)
}

// removeImage removes a tag of an image, or the image where none is wanted. By its
// ID an engine removes no image that several repositories name by a digest: of
// these one is left before.
func (e *Engine) removeImage(ctx context.Context, id string, wanted engine.RemoveOptions) error {
	options := client.ImageRemoveOptions{PruneChildren: true, Force: wanted.Force}
	if wanted.Tag != "" {
		_, err := e.api().ImageRemove(ctx, wanted.Tag, options)
		return translate(err)
	}
	var inspected image.InspectResponse
	err := fetch(ctx, "the engine's answer to an inspection of an image", limits.Object, &inspected, func(ctx context.Context) error {
		_, err := e.api().ImageInspect(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	if digests := references(inspected.RepoDigests, noDigest); len(tags(inspected.RepoTags)) == 0 && len(digests) > 1 {
		for _, digest := range digests[1:] {
			_, err := e.api().ImageRemove(ctx, digest, options)
			if err = translate(err); err != nil && !errors.Is(err, engine.ErrNotFound) {
				return err
			}
		}
	}
	_, err = e.api().ImageRemove(ctx, id, options)
	return translate(err)
}

// Act implements [engine.Engine]. The engine's time limit for a stop is the
// container's own.
func (e *Engine) Act(ctx context.Context, key engine.Key, action containersv1alpha1.Action) error {
	var err error
	switch action {
	case containersv1alpha1.ActionStart:
		_, err = e.api().ContainerStart(ctx, key.ID, client.ContainerStartOptions{})
	case containersv1alpha1.ActionStop:
		_, err = e.api().ContainerStop(ctx, key.ID, client.ContainerStopOptions{})
	case containersv1alpha1.ActionPause:
		_, err = e.api().ContainerPause(ctx, key.ID, client.ContainerPauseOptions{})
	case containersv1alpha1.ActionUnpause:
		_, err = e.api().ContainerUnpause(ctx, key.ID, client.ContainerUnpauseOptions{})
	case containersv1alpha1.ActionRestart:
		_, err = e.api().ContainerRestart(ctx, key.ID, client.ContainerRestartOptions{})
	default:
		return fmt.Errorf("%w: there is no action %q", engine.ErrRefused, action)
	}
	return refusal(err)
}

// refusal is translate for engines that answer what they refuse as if it were a
// fault of their own: Docker's old ones and Podman.
func refusal(err error) error {
	if cerrdefs.IsInternal(err) {
		return fmt.Errorf("%w: %w", engine.ErrRefused, err)
	}
	return translate(err)
}
