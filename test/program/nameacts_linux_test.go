// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// TestActsByName: containers, images and volumes are changed by name, several at once,
// and the answer is the engine's.
func TestActsByName(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine := dockerd.Start(t, dockerd.Config{})
	web := startContainer(t, engine, "web", "exec sleep 1000")
	startContainer(t, engine, "job", "exit 4")
	for _, name := range []string{"data", "used"} {
		if _, err := engine.Client.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tag := range []string{"other:one", "other:two"} {
		if _, err := engine.Client.ImageTag(t.Context(), client.ImageTagOptions{Source: dockerd.Image, Target: tag}); err != nil {
			t.Fatal(err)
		}
	}
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	state := func(name, want string) {
		t.Helper()
		c, err := engine.Client.ContainerInspect(t.Context(), name, client.ContainerInspectOptions{})
		if err != nil || string(c.Container.State.Status) != want {
			t.Errorf("%s is %v (%v), want %s", name, c.Container.State, err, want)
		}
	}
	if got := h.ok("container", "wait", "job"); got != "4\n" {
		t.Errorf("wait prints %q", got)
	}
	if got := h.ok("pause", "moby/web"); got != "moby/web\n" {
		t.Errorf("pause prints %q", got)
	}
	state("web", "paused")
	h.fails(1, []string{"web: the container is paused", "--force"}, "rm", "web")
	h.ok("container", "unpause", web[:6])
	state("web", "running")
	if r := h.fails(1, []string{"nothing: no container", "rdd ps"}, "container", "pause", "web", "nothing"); r.stdout != "web\n" {
		t.Errorf("of two names, one unknown: %q", r.stdout)
	}
	h.ok("unpause", "web")
	if r := h.fails(1, []string{"job: ", "not running"}, "pause", "job"); r.stdout != "" {
		t.Errorf("a refused act prints %q", r.stdout)
	}
	h.ok("restart", "web")
	state("web", "running")
	h.fails(2, []string{"at least one name"}, "container", "start")

	if got := h.ok("inspect", "--format", "{{.status.name}} {{.status.status}}", "web", "job"); got != "web running\njob exited\n" {
		t.Errorf("inspect prints %q", got)
	}
	contains(t, h.ok("image", "inspect", dockerd.Image), `"kind": "Image"`, dockerd.Image)
	h.fails(1, []string{"no volume"}, "volume", "inspect", "nothing")

	h.ok("rm", "--force", "web")
	h.ok("rm", "job")
	if list := h.ok("ps", "-aq"); list != "" {
		t.Errorf("containers after their removal: %s", list)
	}
	h.ok("volume", "rm", "data")
	if list := h.ok("volumes", "-q"); list != "used\n" {
		t.Errorf("volumes after a removal: %s", list)
	}
	h.ok("rmi", "other:one")
	id := strings.Fields(h.ok("images", "-q"))[0]
	h.fails(1, []string{"2 tags", "--force"}, "image", "rm", id)
	h.ok("image", "rm", "--force", id)
	if list := h.ok("images", "-aq"); list != "" {
		t.Errorf("images after their removal: %s", list)
	}
}
