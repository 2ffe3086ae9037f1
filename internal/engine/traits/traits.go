// SPDX-License-Identifier: Apache-2.0

// Package traits has the [engine.Traits] of the built-in types of engines. It is apart
// from their drivers, as those bring the libraries of Docker and containerd: programs
// that connect to no engine ask here.
package traits

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// All returns the traits of all built-in types.
func All() []engine.Traits { return []engine.Traits{Moby(), Containerd(), Simulated()} }

// Of returns the traits of engines of a type, which the App and the HostInfo have types
// of their own for; an App that names none has Docker's. Of an unknown type only the
// type is known.
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
