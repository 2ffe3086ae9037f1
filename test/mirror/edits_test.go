// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestAnEditIsLookedAtOnce: a client's label on a mirror makes the mirror look at
// its container, and then be at rest.
func TestAnEditIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	e, engine := newFaulty(t, fakedocker.Config{})
	e.connect("moby")
	id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: busyboxImage, Running: true})[0]
	e.equal("moby")
	const route = "GET /containers/{id}/json"
	before := engine.Requests()[route]
	e.ask(id, `{"metadata":{"labels":{"test/mine":"1"}}}`)
	e.turns(engine.Server, 20, route)
	if n := engine.Requests()[route] - before; n > 3 {
		t.Errorf("%d inspects of the container for one edit of its mirror", n)
	}
	if got := e.container(id).Labels["test/mine"]; got != "1" {
		t.Errorf("the label is %q", got)
	}
}
