// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// addNetworks adds an engine's networks, as it shows each of them to a client that
// inspects it.
func addNetworks(ctx context.Context, docker *client.Client, engineName string, objects map[string]Fields) error {
	networks, err := docker.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return err
	}
	for _, listed := range networks.Items {
		result, err := docker.NetworkInspect(ctx, listed.ID, client.NetworkInspectOptions{})
		if cerrdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		n := &result.Network
		// Podman's list says what clients see; an inspection by ID has another name of
		// its default network, which claims to be created whenever it is asked.
		created := whole(n.Created.Format(time.RFC3339Nano))
		if n.Name != listed.Name {
			n.Name, created = listed.Name, ""
		}
		var subnets []string
		for _, config := range n.IPAM.Config {
			subnet := ""
			if config.Subnet.IsValid() {
				subnet = config.Subnet.String()
			}
			if config.Gateway.IsValid() {
				subnet += " via " + config.Gateway.String()
			}
			subnets = append(subnets, subnet)
		}
		objects["network "+containersv1alpha1.NetworkName(engineName, n.ID)] = Fields{
			"id": n.ID, "name": n.Name, "driver": n.Driver, "scope": n.Scope, "labels": text(n.Labels), "options": text(n.Options),
			"flags":   fmt.Sprintf("internal=%t ipv6=%t attachable=%t", n.Internal, n.EnableIPv6, n.Attachable),
			"subnets": sorted(subnets), "createdAt": created,
		}.clean()
	}
	return nil
}

// Network returns what is compared of a Network.
func Network(s *containersv1alpha1.NetworkStatus) Fields {
	var subnets []string
	for _, subnet := range s.Subnets {
		line := subnet.Subnet
		if subnet.Gateway != "" {
			line += " via " + subnet.Gateway
		}
		subnets = append(subnets, line)
	}
	return Fields{
		"id": s.ID, "name": s.Name, "driver": s.Driver, "scope": s.Scope, "labels": text(s.Labels), "options": text(s.Options),
		"flags":   fmt.Sprintf("internal=%t ipv6=%t attachable=%t", s.Internal, s.IPv6, s.Attachable),
		"subnets": sorted(subnets), "createdAt": stamp(s.CreatedAt),
	}.clean()
}
