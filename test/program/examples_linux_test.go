// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// python returns an interpreter that has the Kubernetes client.
func python(t *testing.T) string {
	t.Helper()
	candidates := []string{"python3", "/usr/bin/python3"} // Debian's, where the first is another
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err == nil && exec.CommandContext(t.Context(), path, "-c", "import kubernetes").Run() == nil {
			return path
		}
	}
	t.Fatalf("none of %v has the package kubernetes (Debian's python3-kubernetes)", candidates)
	return ""
}

// proxied has the Kubernetes client for Python take the proxy of the environment
// for every host, as it does from version 33 on (Debian's is older).
const proxied = `import os
from kubernetes.client import configuration

plain = configuration.Configuration.__init__

def init(self, *args, **kwargs):
    plain(self, *args, **kwargs)
    self.proxy = os.environ["HTTPS_PROXY"]

configuration.Configuration.__init__ = init
`

// example is a program that prints a line for each change of a container.
type example struct {
	*process
	language string
}

// startExamples starts the example of each language, as docs/watching.md does.
func (h *home) startExamples() []example {
	t := h.t
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	asJSON := filepath.Join(h.dir, "kubeconfig.json")
	if err := os.WriteFile(asJSON, []byte(h.ok("ctl", "config", "view", "--raw", "-o", "json")), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "KUBECONFIG="+h.path("config"))
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	return []example{
		{h.spawn(filepath.Join(builtExamples(t), "watch-go")), "Go"},
		{h.spawn(python(t), filepath.Join(dir, "watch-python", "watch.py")), "Python"},
		{h.spawn(node, filepath.Join(dir, "watch-javascript", "watch.mjs"), asJSON), "JavaScript"},
	}
}

// lines returns what the example printed of a container: what happened, and the
// state. A change that does not show in the line is left out.
func (e example) lines(name string) string {
	line := regexp.MustCompile(`(?m)^(\w+ +\w+) +` + regexp.QuoteMeta(name) + ` +busybox:latest$`)
	var found []string
	for _, match := range line.FindAllStringSubmatch(e.stdout.String(), -1) {
		found = append(found, strings.Join(strings.Fields(match[1]), " "))
	}
	return strings.Join(slices.Compact(found), ", ")
}

// TestExamples: the examples of docs/watching.md see containers come, change and
// go, also those that go while the daemon is away, and say each thing once.
func TestExamples(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	// The port must be the same after a restart, even if another process has the instance's own.
	h.ok("service", "create", "--secure-port", fmt.Sprint(takePort(t)))
	engine, docker := startEngine(t, 0)
	old := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: "old-", Running: true})[0]
	kept := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: "kept-", Running: true})[0]
	// Nothing that speaks to this machine needs a proxy.
	h.env = append(h.env, "HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "ALL_PROXY=http://127.0.0.1:1", "NODE_USE_ENV_PROXY=1",
		"PYTHONPATH="+filepath.Dir(h.write("python/sitecustomize.py", proxied, 0o600)))
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.ok("ctl", "get", "containers", "-A")
	h.ok("ps")
	examples := h.startExamples()
	name := func(id string) string {
		inspected, err := docker.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(inspected.Container.Name, "/")
	}
	say := func(name, want string) {
		t.Helper()
		for _, e := range examples {
			h.eventually(e.language+" says of "+name+": "+want, func() (bool, string) {
				return e.lines(name) == want, e.stdout.String() + e.stderr.String()
			})
		}
	}
	oldName, keptName := name(old), name(kept)
	say(oldName, "added running")
	web := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: "web-", Running: true})[0]
	webName := name(web)
	say(webName, "added running")
	if err := engine.Exit(old, 0); err != nil {
		t.Fatal(err)
	}
	say(oldName, "added running, changed exited")

	h.ok("service", "stop")
	if _, err := docker.ContainerRemove(t.Context(), old, client.ContainerRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	h.ok("service", "start")
	say(oldName, "added running, changed exited, deleted exited")
	if _, err := docker.ContainerRemove(t.Context(), kept, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		h.eventually(e.language+" says that it has gone", func() (bool, string) {
			return strings.Contains(e.lines(keptName), "deleted "), e.stdout.String() + e.stderr.String()
		})
		if lines := e.lines(keptName); strings.Count(lines, "added") != 1 || strings.Count(lines, "deleted") != 1 {
			t.Errorf("%s says: %s", e.language, lines)
		}
	}
}

// TestCtlConfig: `rdd ctl config` is about the instance, and leaves the user's own
// configuration of kubectl alone.
func TestCtlConfig(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	own := filepath.Join(h.dir, ".kube", "config")
	h.env = append(h.env, "KUBECONFIG="+own)
	h.ok("service", "create")
	contains(t, h.ok("ctl", "config", "current-context"), h.instance().ContextName())
	h.ok("ctl", "config", "set-context", "--current", "--namespace", "default")
	if _, err := os.Stat(own); err == nil {
		t.Error("the user's own configuration was written")
	}
	contains(t, h.ok("ctl", "config", "view", "--minify", "-o", "jsonpath={..namespace}"), "default")
}
