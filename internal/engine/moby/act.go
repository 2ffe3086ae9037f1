// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"fmt"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Remove implements [engine.Engine].
func (e *Engine) Remove(ctx context.Context, key engine.Key, tag string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	switch key.Kind {
	case engine.KindContainer:
		_, err = e.client.ContainerRemove(ctx, key.ID, client.ContainerRemoveOptions{Force: true})
	case engine.KindVolume:
		_, err = e.client.VolumeRemove(ctx, key.ID, client.VolumeRemoveOptions{})
	case engine.KindImage:
		reference := tag
		if reference == "" {
			reference = key.ID
		}
		_, err = e.client.ImageRemove(ctx, reference, client.ImageRemoveOptions{PruneChildren: true})
	default:
		return fmt.Errorf("%w: a %s can't be removed", engine.ErrRefused, key.Kind)
	}
	return translate(err)
}
