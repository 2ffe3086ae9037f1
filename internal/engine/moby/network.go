// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// networkView is what is read of a network in a list or an inspection
// (https://docs.docker.com/reference/api/engine/, NetworkInspect). Addresses stay
// text: the type in the API's client refuses the whole network for one of them.
type networkView struct {
	ID         string `json:"Id"`
	Name       string
	Created    string
	Scope      string
	Driver     string
	EnableIPv6 bool
	Internal   bool
	Attachable bool
	IPAM       struct {
		Config []struct{ Subnet, Gateway string }
	}
	Options map[string]string
	Labels  map[string]string
}

// networkNotFound matches what Docker ("network x not found") and Podman ("unable
// to find network with name or ID x: network not found") answer.
var networkNotFound = regexp.MustCompile(`(?i)\bnetwork (?:\S+ )?not found`)

func networkHead(h *head) engine.Item {
	return engine.Item{Key: engine.Key{Kind: engine.KindNetwork, ID: h.ID}}
}

func networkItem(n *networkView) engine.Item {
	listed := networkStatus(n)
	return engine.Item{
		Key: engine.Key{Kind: engine.KindNetwork, ID: n.ID},
		Current: func(known engine.Object, _ time.Time) bool {
			return known.Network != nil && equalNetwork(listed, known.Network)
		},
		Fingerprint: func() uint64 { return engine.FingerprintOf(listed) },
	}
}

func equalNetwork(a, b *containersv1alpha1.NetworkStatus) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Driver == b.Driver && a.Scope == b.Scope && a.Internal == b.Internal && a.IPv6 == b.IPv6 &&
		a.Attachable == b.Attachable && slices.Equal(a.Subnets, b.Subnets) && a.CreatedAt.Equal(b.CreatedAt) &&
		maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Options, b.Options)
}

func networkStatus(n *networkView) *containersv1alpha1.NetworkStatus {
	status := &containersv1alpha1.NetworkStatus{
		ID:         n.ID,
		Name:       n.Name,
		Namespace:  Namespace,
		Driver:     n.Driver,
		Scope:      n.Scope,
		Internal:   n.Internal,
		IPv6:       n.EnableIPv6,
		Attachable: n.Attachable,
		Labels:     copyMap(n.Labels),
		Options:    copyMap(n.Options),
		CreatedAt:  parseTime(n.Created),
	}
	if n.ID == podmanNetwork {
		status.Name, status.CreatedAt = "bridge", nil
	}
	for _, config := range n.IPAM.Config {
		status.Subnets = append(status.Subnets, containersv1alpha1.Subnet(config))
	}
	slices.SortStableFunc(status.Subnets, func(a, b containersv1alpha1.Subnet) int {
		return cmp.Compare(family(a.Subnet), family(b.Subnet))
	})
	return status
}

// family sorts subnets of IPv4 before those of IPv6, and what is neither last.
func family(subnet string) int {
	prefix, err := netip.ParsePrefix(subnet)
	switch {
	case err != nil:
		return 2
	case prefix.Addr().Is4():
		return 0
	}
	return 1
}

func (e *Engine) inspectNetwork(ctx context.Context, key engine.Key) (*networkView, error) {
	var n networkView
	err := fetch(ctx, "the engine's answer to an inspection of a network", limits.Object, &n, func(ctx context.Context) error {
		_, err := e.api().NetworkInspect(ctx, key.ID, client.NetworkInspectOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := engine.CheckKey(engine.Key{Kind: engine.KindNetwork, ID: n.ID}); err != nil {
		return nil, fmt.Errorf("the engine's answer to an inspection of network %s can't be one: %w", key.ID, err)
	}
	// The engine also finds a network by its name, or the beginning of its ID.
	if n.ID != key.ID {
		return nil, fmt.Errorf("the engine was asked for the network %s, and answers with %s", key.ID, n.ID)
	}
	return &n, nil
}

// removeNetwork removes a network by its ID. Podman 4.3 does so even if containers are
// connected to it, and refuses that by the name only.
func (e *Engine) removeNetwork(ctx context.Context, key engine.Key) error {
	reference := key.ID
	if e.podman.Load() {
		n, err := e.inspectNetwork(ctx, key)
		if err != nil {
			return err
		}
		reference = n.Name
	}
	_, err := e.api().NetworkRemove(ctx, reference, client.NetworkRemoveOptions{})
	if cerrdefs.IsInternal(err) && strings.Contains(err.Error(), podmanDefault) {
		return fmt.Errorf("%w: %w", engine.ErrRefused, err)
	}
	return translate(err)
}

// networkEvent tells which object a message about a network is about: the container
// that is connected to it or disconnected, or the network itself.
func networkEvent(event engine.Event, m events.Message) (engine.Event, bool) {
	switch m.Action {
	case events.ActionCreate, events.ActionUpdate, events.ActionDestroy, events.ActionRemove:
		event.Key = engine.Key{Kind: engine.KindNetwork, ID: m.Actor.ID}
		event.Gone = m.Action == events.ActionDestroy || m.Action == events.ActionRemove
		return event, m.Actor.ID != ""
	}
	container, named := m.Actor.Attributes["container"]
	if _, podman := m.Actor.Attributes[podmanPod]; podman && !named {
		container = m.Actor.ID
	}
	event.Key = engine.Key{Kind: engine.KindContainer, ID: container}
	return event, container != ""
}
