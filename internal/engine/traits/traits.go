// SPDX-License-Identifier: Apache-2.0

// Package traits has the [engine.Traits] of the built-in types of engines, for programs
// that connect to no engine: the drivers link the libraries of Docker and containerd.
package traits

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// All returns the traits of all built-in types.
func All() []engine.Traits { return []engine.Traits{Moby(), Containerd(), Simulated()} }

// Of returns the traits of a type, which App and HostInfo spell with Go types of their
// own. The empty type is the default of an App, moby. An unknown type has no traits.
func Of[T ~string](kind T) engine.Traits {
	if kind == "" {
		return Moby()
	}
	for _, traits := range All() {
		if string(traits.Type) == string(kind) {
			return traits
		}
	}
	return engine.Traits{Type: containersv1alpha1.EngineType(kind)}
}
