// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// startContainer runs a script in a container of a real engine, and returns its
// ID.
func startContainer(t *testing.T, engine *dockerd.Engine, name, script string) string {
	t.Helper()
	created, err := engine.Client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: dockerd.Image, Cmd: []string{"sh", "-c", script}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Client.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return created.ID
}

// TestContainerCommands: `rdd ps`, `images`, `volumes`, `logs` and `exec` with a
// real engine, as a user types them.
func TestContainerCommands(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine := dockerd.Start(t, dockerd.Config{})
	web := startContainer(t, engine, "web", "echo to out; while [ ! -e /end ]; do sleep 0.1; done; echo bye")
	ended := startContainer(t, engine, "ended", "exit 3")
	if _, err := engine.Client.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: "My_Volume"}); err != nil {
		t.Fatal(err)
	}
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.eventually("the container has ended", func() (bool, string) {
		list := h.ok("ps", "--all")
		return strings.Contains(list, "Exited (3)"), list
	})
	contains(t, h.ok("ps", "--all"), "CONTAINER ID", web[:12], "web", "Up ", ended[:12], "rancher-desktop/moby")
	if list := h.ok("ps"); strings.Contains(list, "ended") || !strings.Contains(list, "web") {
		t.Errorf("without --all: %s", list)
	}
	contains(t, h.ok("ps", "-a", "--no-trunc", "--engine", "moby"), web, ended)
	contains(t, h.ok("ps", "-o", "json"), `"items"`, `"kind": "Container"`, web)
	contains(t, h.ok("images", "--namespace", "rancher-desktop"), "busybox", "latest")
	contains(t, h.ok("volumes"), "My_Volume", "local")
	if list := h.succeeds([]string{`ContainerEngine "another" not found`}, "ps", "--engine", "another"); strings.Contains(list.stdout, "web") {
		t.Errorf("of another engine: %s", list.stdout)
	}
	contains(t, h.ok("ps", "-o", "wide"), "NETWORKS", "MOUNTS", "PROJECT")
	contains(t, h.ok("ps", "-o", "name"), "container.containers.rancherdesktop.io/"+web)
	h.fails(2, []string{"json, yaml, wide, name"}, "ps", "-o", "xml")

	if got := h.ok("logs", "--tail", "1", "web"); got != "to out\n" {
		t.Errorf("the log is %q", got)
	}
	// A command that starts the daemon waits for its engine.
	for range 3 {
		h.ok("service", "stop")
		if got := h.ok("logs", "--tail", "1", "web"); got != "to out\n" {
			t.Errorf("just after the start of the daemon the log is %q", got)
		}
		h.kill()
		if got := h.ok("exec", "web", "echo", "here"); got != "here\n" {
			t.Errorf("just after the start of the daemon exec writes %q", got)
		}
	}
	h.fails(1, []string{`no container with name or ID "unknown"`, "rdd ps"}, "logs", "unknown")
	h.fails(2, []string{"--tail", "all"}, "logs", "--tail", "few", "web")
	h.fails(2, []string{"one container"}, "logs")
	h.fails(1, []string{"is not running"}, "exec", "ended", "true")
	h.fails(1, []string{"requires a terminal"}, "exec", "-t", "web", "true")
	h.fails(2, []string{"a container and a command"}, "exec", "web")
	result := h.run("exec", web[:8], "sh", "-c", "echo seen; echo heard >&2; exit 9")
	if result.code != 9 || result.stdout != "seen\n" || result.stderr != "heard\n" {
		t.Errorf("exec: %+v", result)
	}
	input := h.command(t.Context(), filepath.Join(programs, "rdd"), "exec", "-i", "web", "cat")
	input.Stdin = strings.NewReader("there and back\n")
	if output, err := input.Output(); err != nil || string(output) != "there and back\n" {
		t.Errorf("exec -i: %v %q", err, output)
	}

	watch := h.spawn("rdd", "ps", "--watch")
	watch.prints("web")
	follow := h.spawn("rdd", "logs", "--follow", "web")
	follow.prints("to out")
	h.ok("exec", "web", "touch", "/end")
	follow.prints("bye")
	if code := follow.wait(patience); code != 0 {
		t.Errorf("logs --follow ended with %d at the container's end", code)
	}
	watch.prints("MODIFIED")
	if _, err := engine.Client.ContainerRemove(t.Context(), web, client.ContainerRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	watch.prints("DELETED")
	if code := watch.interrupt(); code != 0 {
		t.Errorf("ps --watch ended with %d when it was interrupted", code)
	}
}

// TestStreamsAreForThoseWhoMay: logs and processes need a user, and one who may.
func TestStreamsAreForThoseWhoMay(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("ctl", "create", "serviceaccount", "reader")
	h.ok("ctl", "create", "clusterrolebinding", "reader", "--clusterrole=view", "--serviceaccount=rancher-desktop:reader")
	reader := strings.TrimSpace(h.ok("ctl", "create", "token", "reader"))
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Protocol": {"v5.channel.k8s.io"}}
	logs := "/passthrough/engine/logs/" + strings.Repeat("0", 64)
	exec := "/passthrough/engine/exec/" + strings.Repeat("0", 64) + "?command=true"
	for _, test := range []struct {
		path, token string
		want        int
	}{
		{logs, "", http.StatusUnauthorized},
		{exec, "", http.StatusUnauthorized},
		{logs, reader, http.StatusNotFound},
		{exec, reader, http.StatusForbidden},
		{exec, h.config().BearerToken, http.StatusNotFound},
	} {
		if code, body := h.ask(http.MethodGet, test.path, test.token, upgrade.Clone()); code != test.want {
			t.Errorf("%s: %d, want %d: %s", test.path, code, test.want, body)
		}
	}
}
