// SPDX-License-Identifier: Apache-2.0

// Package open connects to engines of every type that is built in.
package open

import (
	"fmt"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/containerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/moby"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/simulated"
)

// Engine connects to the engine that a ContainerEngine names; secret is the one
// that its spec names, nil for none. An error says that it never can: the type
// or the endpoint is not supported.
func Engine(spec containersv1alpha1.ContainerEngineSpec, secret engine.Secret) (engine.Engine, error) {
	switch spec.Type {
	case containersv1alpha1.EngineMoby:
		return moby.New(moby.Config{Endpoint: spec.Endpoint, Secret: secret})
	case containersv1alpha1.EngineContainerd:
		return containerd.New(containerd.Config{Endpoint: spec.Endpoint})
	case containersv1alpha1.EngineSimulated:
		return simulated.New(simulated.Config{Endpoint: spec.Endpoint})
	}
	return nil, fmt.Errorf("this version of rdd can't connect to engines of the type %s", spec.Type)
}
