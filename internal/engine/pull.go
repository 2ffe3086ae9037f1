// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Puller is an engine that can pull images from a registry.
type Puller interface {
	// Pull pulls the image that a reference names into a namespace of the
	// engine, and returns it when it is there. It calls progress, one call after
	// the other, as often as the engine tells of any. [ErrRefused] says that the
	// engine or the registry will not: the same again is of no use by itself.
	Pull(ctx context.Context, namespace, reference string, progress func(containersv1alpha1.PullProgress)) (image Key, err error)
}
