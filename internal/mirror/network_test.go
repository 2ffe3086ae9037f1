// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

func gateNetwork(id, name string) *containersv1alpha1.Network {
	return &containersv1alpha1.Network{ObjectMeta: gateMeta("net-"+id, id, ""), Status: containersv1alpha1.NetworkStatus{ID: id, Name: name}}
}

// TestNetworkInUse: an engine does not remove a network that a running container is
// connected to.
func TestNetworkInUse(t *testing.T) {
	known := newTable()
	for name, phase := range map[string]containersv1alpha1.Phase{
		"runs": containersv1alpha1.PhaseRunning, "pauses": containersv1alpha1.PhasePaused, "exited": containersv1alpha1.PhaseExited,
		"created": containersv1alpha1.PhaseCreated, "restarts": containersv1alpha1.PhaseRestarting,
	} {
		meta := gateMeta(name, name, "")
		meta.UID = "1"
		known.watched(&containersv1alpha1.Container{ObjectMeta: meta, Status: containersv1alpha1.ContainerStatus{
			Name: name, Status: phase, Networks: []containersv1alpha1.NetworkAttachment{{Name: "common"}, {Name: "of-" + name}}}})
	}
	for name, want := range map[string]bool{
		"common": true, "of-runs": true, "of-pauses": true, "of-exited": false, "of-created": false, "of-restarts": false, "other": false,
	} {
		if got := known.inUse(gateNetwork("1", name)); got != want {
			t.Errorf("the network %s is in use: %t, want %t", name, got, want)
		}
	}
	network := gateNetwork("1", "common")
	if users := known.users(usedAs(network)); len(users) != 2 {
		t.Errorf("users: %v", users)
	}
	text := refusalText(network, "network common", known.users(usedAs(gateNetwork("1", "of-runs"))), 0)
	if want := "network common is used by container runs: stop that container or disconnect it from the network first"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
}

// TestPredefined: the networks that each engine has are those of its operating
// system, and nothing else has their names.
func TestPredefined(t *testing.T) {
	for _, test := range []struct {
		m    client.Object
		os   string
		want bool
	}{
		{gateNetwork("1", "bridge"), "linux", true},
		{gateNetwork("1", "host"), "linux", true},
		{gateNetwork("1", "none"), "linux", true},
		{gateNetwork("1", "bridge"), "", true},
		{gateNetwork("1", "nat"), "linux", false},
		{gateNetwork("1", "nat"), "windows", true},
		{gateNetwork("1", "bridge"), "windows", false},
		{gateNetwork("bridge", "my-bridge"), "linux", false},
		{gateVolume("bridge"), "linux", false},
	} {
		if got := predefined(test.m, test.os); got != test.want {
			t.Errorf("%s of %q is predefined: %t, want %t", titleOf(test.m), test.os, got, test.want)
		}
	}
}

// TestNetworkBounds: the status of a network has limits.
func TestNetworkBounds(t *testing.T) {
	n := gateNetwork("1", strings.Repeat("n", 255))
	n.Status.Options = map[string]string{"a": strings.Repeat("x", 4<<20)}
	for range 10_000 {
		n.Status.Subnets = append(n.Status.Subnets, containersv1alpha1.Subnet{Subnet: "10.0.0.0/8", Gateway: "10.0.0.1"})
	}
	bound(n)
	if len(n.Status.Subnets) == 10_000 || len(n.Status.Options["a"]) > 128<<10 || len(n.Status.Conditions) != 1 || len(n.Status.Name) != 255 {
		t.Errorf("%d subnets, an option of %d bytes, conditions %v", len(n.Status.Subnets), len(n.Status.Options["a"]), n.Status.Conditions)
	}
}
