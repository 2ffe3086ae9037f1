// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"errors"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

func networkKey(name string) engine.Key {
	return engine.Key{Kind: engine.KindNetwork, ID: hashed(name)}
}

// TestNetworks: networks are served, removed, and kept if Docker would keep them.
func TestNetworks(t *testing.T) {
	e, path := newEngine(t, `
networks: [{name: bridge}, {name: used}, {name: idle, driver: macvlan, subnets: [{subnet: 10.0.0.0/8}]}]
containers:
- {name: web, imageName: nginx, networks: [{name: used, ipAddress: 10.0.0.2}]}
- {name: stopped, imageName: nginx, status: exited, networks: [{name: idle}]}
`)
	used, err := e.Inspect(t.Context(), networkKey("used"))
	if err != nil || used.Network.Driver != "bridge" || used.Network.Scope != "local" || used.Network.Namespace != defaultNamespace || used.Network.ID != hashed("used") {
		t.Errorf("the network %+v, %v", used.Network, err)
	}
	if list, err := e.List(t.Context(), engine.KindNetwork); err != nil || len(list) != 3 {
		t.Errorf("the list %v, %v", list, err)
	}
	for name, words := range map[string]string{"bridge": "pre-defined network", "used": "has active endpoints"} {
		for _, force := range []bool{false, true} {
			err := e.Remove(t.Context(), networkKey(name), engine.RemoveOptions{Force: force})
			if !errors.Is(err, engine.ErrRefused) || !strings.Contains(err.Error(), words) {
				t.Errorf("remove %s, by force %t: %v", name, force, err)
			}
		}
	}
	events := startStream(t, e)
	if err := e.Remove(t.Context(), networkKey("idle"), engine.RemoveOptions{}); err != nil {
		t.Errorf("remove what only a stopped container has: %v", err)
	}
	events.expect(networkKey("idle"), true)
	if _, err := e.Inspect(t.Context(), networkKey("idle")); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
	write(t, path, "networks: [{name: fresh, id: n1}]")
	for range 4 { // two networks and two containers go
		events.next()
	}
	events.expect(engine.Key{Kind: engine.KindNetwork, ID: "n1"}, false)
}

// TestNetworkErrors: what is wrong with a network is named.
func TestNetworkErrors(t *testing.T) {
	for file, want := range map[string]string{
		"networks: [{driver: bridge}]":                                     "networks[0]: needs a name",
		"networks: [{name: a}, {name: a}]":                                 `networks[1].name: an entry before has "a" already`,
		"networks: [{name: a, id: x}, {name: b, id: x}]":                   `networks[1].id: an entry before has "x" already`,
		"networks: [{name: a, id: x/y}]":                                   "networks[0].id: its ID has a slash",
		"networks: [{name: a, conditions: [{type: x}]}]":                   "networks[0].conditions: they are RDD's own",
		"networks: [{name: a, subnet: 10.0.0.0/8}]":                        `networks[0]: unknown field "subnet"`,
		"{namespaces: [{name: x}], networks: [{name: a, namespace: two}]}": `networks[0].namespace: "two" is not in the list`,
	} {
		if _, err := parse([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}
