// SPDX-License-Identifier: Apache-2.0

package moby

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// Driver returns the driver for engines of this type.
func Driver() engine.Driver {
	return engine.Driver{Traits: traits.Moby(), Open: func(spec containersv1alpha1.ContainerEngineSpec, secret engine.Secret) (engine.Engine, error) {
		return New(Config{Endpoint: spec.Endpoint, Secret: secret})
	}}
}
