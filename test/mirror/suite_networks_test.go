// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"net/netip"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// networkStep is a step that makes or removes a network, of which not every engine
// has an event.
func (d *driver) networkStep(do func(ctx context.Context) error) {
	d.t.Helper()
	if !d.has.networkEvents {
		ce := d.getEngine("moby")
		period := ce.Resync()
		d.setResync(ce, time.Second)
		defer d.setResync(ce, period)
	}
	d.step(do)
}

// network returns the mirror of the network of a name.
func (d *driver) network(name string) *containersv1alpha1.Network {
	d.t.Helper()
	var networks containersv1alpha1.NetworkList
	d.list(&networks)
	for i := range networks.Items {
		if networks.Items[i].Status.Name == name {
			return &networks.Items[i]
		}
	}
	d.t.Fatalf("no network %q is mirrored", name)
	return nil
}

// suiteNetworks makes networks of odd names, connects containers, and removes the
// networks: those in use and the predefined ones are refused.
func suiteNetworks(d *driver) {
	made := d.makeNetworks("plain", "My_Net.Work-1", "UPPER", strings.Repeat("n", 250), "größe ✓", "with/slash", "-dash", "a b", "app.kubernetes.io/x=y")
	if len(made) < 4 { // those that Podman accepts, too
		d.t.Fatalf("the engine accepted the names %q only", made)
	}
	d.networkStep(func(ctx context.Context) error {
		_, err := d.docker.NetworkCreate(ctx, "closed", client.NetworkCreateOptions{Internal: true, Driver: "bridge", IPAM: &network.IPAM{Config: []network.IPAMConfig{
			{Subnet: netip.MustParsePrefix("10.77.0.0/24"), Gateway: netip.MustParseAddr("10.77.0.254")}}}})
		return err
	})
	if s := d.network("closed").Status; !s.Internal || len(s.Subnets) != 1 || s.Subnets[0] != (containersv1alpha1.Subnet{Subnet: "10.77.0.0/24", Gateway: "10.77.0.254"}) {
		d.t.Errorf("the network is %+v", s)
	}

	id := d.run("connected", container.Config{}, container.HostConfig{NetworkMode: "plain"})
	d.step(func(ctx context.Context) error {
		_, err := d.docker.NetworkConnect(ctx, "UPPER", client.NetworkConnectOptions{Container: id})
		return err
	})
	if networks := d.container(id).Status.Networks; len(networks) != 2 {
		d.t.Errorf("the container's networks are %+v", networks)
	}
	refused := d.network("plain")
	d.must(d.kube.Delete(d.t.Context(), refused))
	refused = waitReplaced(d.env, refused, d.has.networkInUse)
	refuseDefaultNetwork(d)

	d.step(func(ctx context.Context) error {
		_, err := d.docker.NetworkDisconnect(ctx, "UPPER", client.NetworkDisconnectOptions{Container: id})
		return err
	})
	d.removeContainer(id)
	d.deleted(refused)
	for _, name := range append(made[1:], "closed") {
		d.networkStep(func(ctx context.Context) error {
			_, err := d.docker.NetworkRemove(ctx, d.network(name).Status.ID, client.NetworkRemoveOptions{})
			return err
		})
	}
}

// makeNetworks returns those of the names that the engine accepts.
func (d *driver) makeNetworks(names ...string) (made []string) {
	d.t.Helper()
	for _, name := range names {
		d.networkStep(func(ctx context.Context) error {
			_, err := d.docker.NetworkCreate(ctx, name, client.NetworkCreateOptions{Labels: map[string]string{"com.docker.compose.project": "shop"}})
			if err != nil && name != "plain" && !cerrdefs.IsUnauthorized(err) {
				d.t.Logf("the engine refuses the network name %q: %v", name, err)
				return nil
			}
			made = append(made, name)
			return err
		})
	}
	return made
}

// refuseDefaultNetwork deletes the mirror of the engine's own network.
func refuseDefaultNetwork(d *driver) {
	d.t.Helper()
	network := d.network(d.has.defaultNetwork)
	d.must(d.kube.Delete(d.t.Context(), network))
	waitReplaced(d.env, network, d.has.networkPredefined)
	d.equal("moby")
}

// suiteNetworkPrune removes all networks that no container uses at once.
func suiteNetworkPrune(d *driver) {
	d.makeNetworks("plain", "unused-1", "unused-2")
	id := d.run("uses", container.Config{}, container.HostConfig{NetworkMode: "plain"})
	d.networkStep(func(ctx context.Context) error {
		_, err := d.docker.NetworkPrune(ctx, client.NetworkPruneOptions{})
		return err
	})
	d.network("plain")
	d.removeContainer(id)
	d.networkStep(func(ctx context.Context) error {
		_, err := d.docker.NetworkRemove(ctx, "plain", client.NetworkRemoveOptions{})
		return err
	})
}
