// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// wantNetwork is [mirrorKind.want] of networks.
func wantNetwork(o owner, object engine.Object, namespace string) []client.Object {
	if object.Network == nil {
		return nil
	}
	status := *object.Network
	status.Namespace = namespace
	return []client.Object{&containersv1alpha1.Network{ObjectMeta: o.meta(containersv1alpha1.NetworkName(o.name, object.Key.ID), object.Key), Status: status}}
}

func networkParts(s *containersv1alpha1.NetworkStatus) []part {
	return []part{
		&text{"id", &s.ID, nameLimit, false},
		&text{"name", &s.Name, nameLimit, false},
		&text{"namespace", &s.Namespace, nameLimit, false},
		&text{"driver", &s.Driver, nameLimit, false},
		&text{"scope", &s.Scope, 0, false},
		&list[containersv1alpha1.Subnet]{field: "subnets", items: &s.Subnets, overhead: 26, values: subnetValues},
		&dict{field: "labels", entries: &s.Labels},
		&dict{field: "options", entries: &s.Options},
	}
}

func subnetValues(s *containersv1alpha1.Subnet) []*string { return []*string{&s.Subnet, &s.Gateway} }

// networkUsedAs is [mirrorKind.usedAs] of networks: containers know theirs by name.
func networkUsedAs(m client.Object) engine.Key {
	return engine.Key{Kind: engine.KindNetwork, ID: m.(*containersv1alpha1.Network).Status.Name}
}

// networksOf returns the networks that can't be removed while there is a container:
// those that it is connected to, if it runs.
func networksOf(s *containersv1alpha1.ContainerStatus) []engine.Key {
	if s.Status != containersv1alpha1.PhaseRunning && s.Status != containersv1alpha1.PhasePaused {
		return nil
	}
	var used []engine.Key
	for _, network := range s.Networks {
		used = append(used, engine.Key{Kind: engine.KindNetwork, ID: network.Name})
	}
	return used
}

// predefined reports whether a mirror is of a network that each Docker engine has,
// and refuses to remove (https://docs.docker.com/reference/cli/docker/network/rm/).
func predefined(m client.Object, engineOS string) bool {
	network, ok := m.(*containersv1alpha1.Network)
	if !ok {
		return false
	}
	names := []string{"bridge", "host", "none"}
	if engineOS == "windows" {
		names = []string{"nat", "none"}
	}
	return slices.Contains(names, network.Status.Name)
}
