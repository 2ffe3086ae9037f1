// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Puller is an engine that can pull images from a registry.
type Puller interface {
	// Pull pulls an image by its reference into a namespace of the engine, and returns
	// it when the engine has it. It calls progress sequentially, as often as the
	// engine reports progress. The error is [ErrRefused] if the engine or the registry
	// refuses: a retry fails again.
	Pull(ctx context.Context, namespace, reference string, progress func(containersv1alpha1.PullProgress)) (image Key, err error)
}
