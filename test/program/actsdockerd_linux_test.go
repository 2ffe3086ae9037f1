// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// TestNoActIsLostOrDoneTwiceByDockerd is TestNoActIsLostOrDoneTwice with an engine
// that takes its time.
func TestNoActIsLostOrDoneTwiceByDockerd(t *testing.T) {
	t.Parallel()
	engine := dockerd.Start(t, dockerd.Config{})
	var containers []string
	for range 4 {
		result, err := engine.Client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
			Config: sleeper(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Client.ContainerStart(t.Context(), result.ID, client.ContainerStartOptions{}); err != nil {
			t.Fatal(err)
		}
		containers = append(containers, result.ID)
	}
	actThroughKills(t, dockerActs(t, engine.Endpoint(), engine.Client), dockerPlans(containers), rounds(t, 12, 4))
}

// sleeper returns a container that runs until it is stopped, which takes no time.
func sleeper() *container.Config {
	now := 0
	return &container.Config{
		Image: dockerd.Image, Cmd: []string{"sleep", "10000"}, StopTimeout: &now,
	}
}
