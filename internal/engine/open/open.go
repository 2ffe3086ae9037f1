// SPDX-License-Identifier: Apache-2.0

// Package open has the registry of the built-in engine drivers.
package open

import (
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/containerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/simulated"
)

// Drivers returns the built-in drivers. A new type of engine is a package and a line here.
func Drivers() engine.Drivers {
	return engine.Drivers{
		moby.Driver(),
		containerd.Driver(),
		simulated.Driver(),
	}
}
