// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestNetworksAndLabels: kubectl lists networks, and finds what belongs to a compose
// project; the API server refuses the deletion of a network in use, wherever the
// engine's controller runs; a user's label survives the daemon.
func TestNetworksAndLabels(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"daemon", "external"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.startWith(place, "containers-controller", "engine", "containers", "engine")
			networksAndLabels(t, h, place == "daemon")
		})
	}
}

func networksAndLabels(t *testing.T, h *home, restart bool) {
	t.Helper()
	engine, docker := startEngine(t, 0)
	shop := map[string]string{"com.docker.compose.project": "shop", "com.docker.compose.project.working_dir": "/home/u/shop"}
	users := engine.AddContainers(2, fakedocker.ContainerOptions{NamePrefix: "shop-", Running: true, Labels: shop})
	engine.AddContainers(1, fakedocker.ContainerOptions{NamePrefix: "other-", Running: true})
	if _, err := docker.NetworkCreate(t.Context(), "shop_default", client.NetworkCreateOptions{Labels: shop}); err != nil {
		t.Fatal(err)
	}
	if _, err := docker.NetworkConnect(t.Context(), "shop_default", client.NetworkConnectOptions{Container: users[0]}); err != nil {
		t.Fatal(err)
	}
	h.connectTo(engine)
	name := func(network string) string {
		return containersv1alpha1.NetworkName("hand", fakedocker.NetworkID(network))
	}
	ctl := func(arguments ...string) string {
		return h.ok(append([]string{"ctl", "-n", namespace}, arguments...)...)
	}
	h.eventually("the network and its user are mirrored", func() (bool, string) {
		out := ctl("get", "networks", "-o", "jsonpath={.items[*].status.name}") + " " + ctl("get", "container", users[0], "-o", "jsonpath={.status.networks[*].name}")
		return strings.Count(out, "shop_default") == 2, out
	})
	contains(t, ctl("get", "net"), "NETWORK", "DRIVER", "SUBNET", "ENGINE", "shop_default", "bridge", "10.200.0.0/24", "hand", "host", "none")
	if out := ctl("get", "containers", "-l", "com.docker.compose.project=shop", "-o", "name"); strings.Count(out, "\n") != 2 || strings.Count(out, users[0]) != 1 {
		t.Errorf("the containers of the project are %q", out)
	}
	if out := ctl("get", "networks", "-l", "com.docker.compose.project=shop", "-o", "name"); !strings.Contains(out, name("shop_default")) || strings.Count(out, "\n") != 1 {
		t.Errorf("the networks of the project are %q", out)
	}
	contains(t, ctl("get", "networks", "--field-selector", "status.name=shop_default,status.driver=bridge", "-o", "name"), name("shop_default"))

	h.fails(3, []string{"Forbidden", "network shop_default is used by container shop-1: stop that container or disconnect it from the network first"},
		"ctl", "-n", namespace, "delete", "network", name("shop_default"))
	h.fails(3, []string{"Forbidden", "network bridge is predefined"}, "ctl", "-n", namespace, "delete", "network", name("bridge"))
	if asked := append(engine.Removals(fakedocker.NetworkID("bridge")), engine.Removals(fakedocker.NetworkID("shop_default"))...); len(asked) != 0 {
		t.Errorf("the engine was asked to remove %q", asked)
	}

	ctl("label", "container", users[1], "team=blue")
	if restart {
		h.ok("service", "stop")
		h.ok("service", "start")
	}
	contains(t, ctl("get", "containers", "-l", "team=blue,com.docker.compose.project=shop", "-o", "name"), users[1])

	if _, err := docker.NetworkDisconnect(t.Context(), "shop_default", client.NetworkDisconnectOptions{Container: users[0]}); err != nil {
		t.Fatal(err)
	}
	h.eventually("the network that no container uses is deleted", func() (bool, string) {
		r := h.run("ctl", "-n", namespace, "delete", "network", name("shop_default"))
		return r.code == 0, fmt.Sprint(r)
	})
	if _, err := docker.NetworkInspect(t.Context(), "shop_default", client.NetworkInspectOptions{}); err == nil {
		t.Error("the engine still has the network")
	}
}
