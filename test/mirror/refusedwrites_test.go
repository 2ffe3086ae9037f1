// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/moby/moby/client"
	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/faultyapi"
)

// TestRefusedWrites: the API server refuses every other write for a while, in
// every way that it can.
func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	engine, docker := newFake(t, fakedocker.Config{})
	faults := faultyapi.New(rand.New(rand.NewPCG(rand.Uint64(), 0)))
	faults.Fail(0.5, 0)
	e := newEnvWith(t, docker, engine.Endpoint(), func(config *rest.Config) { config.Wrap(faults.Wrap) })
	e.create("moby", namespace)
	for i := range 10 {
		ids := engine.AddContainers(3, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})
		_, err := docker.ContainerRemove(t.Context(), ids[0], client.ContainerRemoveOptions{Force: true})
		e.must(err)
		engine.AddImage(fmt.Sprintf("flaky:%d", i))
	}
	e.eventually("writes were refused", func() (bool, string) {
		return faults.Count() > 20, faults.String()
	})
	faults.Fail(0, 0)
	e.equal("moby")
}
