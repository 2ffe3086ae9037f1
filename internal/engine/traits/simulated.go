// SPDX-License-Identifier: Apache-2.0

package traits

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// Simulated returns the traits of simulated engines, which refuse what Docker refuses.
func Simulated() engine.Traits {
	return engine.Traits{
		Type:      containersv1alpha1.EngineSimulated,
		Schemes:   []endpoint.Scheme{endpoint.File},
		KeepsUsed: []engine.Kind{engine.KindImage, engine.KindVolume, engine.KindNetwork},
	}
}
