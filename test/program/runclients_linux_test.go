// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/sshd"
)

// misleading is an environment that leads every client to an engine that is not
// there.
var misleading = []string{
	"DOCKER_HOST=tcp://127.0.0.1:1", "DOCKER_CONTEXT=elsewhere", "DOCKER_TLS=1", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=/nowhere",
	"BUILDX_BUILDER=elsewhere", "CONTAINER_HOST=tcp://127.0.0.1:1", "CONTAINER_CONNECTION=elsewhere", "CONTAINER_SSHKEY=/nowhere",
	"TESTCONTAINERS_HOST_OVERRIDE=192.0.2.1", "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE=/nowhere",
}

// clients are programs that find the engine by the environment.
type clients struct {
	h      *home
	golang string // of test/testcontainers/go
	node   string // the directory of test/testcontainers/node, with its packages
}

func (h *home) newClients() clients {
	h.t.Helper()
	source, err := filepath.Abs(filepath.Join("..", "testcontainers"))
	if err != nil {
		h.t.Fatal(err)
	}
	dir := h.t.TempDir()
	c := clients{h, filepath.Join(dir, "client"), filepath.Join(dir, "node")}
	build := func(dir, name string, args ...string) {
		h.t.Helper()
		cmd := exec.CommandContext(h.t.Context(), name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			h.t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	build(filepath.Join(source, "go"), "go", "build", "-o", c.golang, ".")
	build(source, "cp", "-r", "node", c.node)
	build(c.node, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	return c
}

// reach runs clients by `rdd run`, and checks which engine each finds.
func (c clients) reach(engine *dockerd.Engine, commands map[string][]string) {
	c.h.t.Helper()
	info, err := engine.Client.Info(c.h.t.Context(), client.InfoOptions{})
	if err != nil {
		c.h.t.Fatal(err)
	}
	for name, command := range commands {
		if r := c.h.run(append([]string{"run"}, command...)...); r.code != 0 || r.stdout != "engine "+info.Info.ID+"\n" ||
			strings.Contains(r.stderr, "rdd:") || strings.Contains(strings.ToLower(r.stderr), "warning") {
			c.h.t.Errorf("%s: exit code %d: %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
}

func (c clients) docker() []string { return []string{"docker", "info", "--format", "engine {{.ID}}"} }
func (c clients) moby() []string   { return []string{c.golang, "client"} }
func (c clients) testcontainersGo() []string {
	return []string{c.golang, "testcontainers", dockerd.Image}
}

func (c clients) testcontainersNode() []string {
	return []string{"node", filepath.Join(c.node, "run.mjs"), dockerd.Image}
}

// TestRunClients: below `rdd run` all clients of Docker's API reach the instance's
// engine, whatever the caller's environment is.
func TestRunClients(t *testing.T) {
	t.Parallel()
	h := newHome(t, "TESTCONTAINERS_RYUK_DISABLED=true")
	engine := dockerd.Start(t, dockerd.Config{Network: true})
	c := h.newClients()
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.env = append(h.env, misleading...)
	c.reach(engine, map[string][]string{"docker": c.docker(), "moby's client": c.moby(),
		"Testcontainers for Go": c.testcontainersGo(), "Testcontainers for Node.js": c.testcontainersNode()})
	environment := h.ok("run", "env")
	contains(t, environment, "DOCKER_HOST="+engine.Endpoint()+"\n", "DOCKER_CONTEXT="+h.context()+"\n")
	for _, assignment := range misleading {
		if strings.Contains(environment, assignment+"\n") {
			t.Errorf("the command gets %s", assignment)
		}
	}
	// The contexts of the daemon are not those of the caller.
	h.env = append(h.env, "DOCKER_CONFIG="+t.TempDir())
	c.reach(engine, map[string][]string{"docker": c.docker(), "moby's client": c.moby()})
	if environment := h.ok("run", "env"); strings.Contains(environment, "DOCKER_CONTEXT=") {
		t.Errorf("a context that the caller lacks: %s", environment)
	}
}

// TestRunClientsTLS: with TLS, too, and also if the caller has contexts elsewhere.
func TestRunClientsTLS(t *testing.T) {
	t.Parallel()
	h := newHome(t, "TESTCONTAINERS_RYUK_DISABLED=true")
	authority := certs.New(t)
	server := authority.Server("127.0.0.1")
	engine := dockerd.Start(t, dockerd.Config{TLS: &dockerd.TLS{CA: authority.Cert, Cert: server.Cert, Key: server.Key}})
	c := h.newClients()
	h.ok("set", "--wait=false", "running=true", "containerEngine.endpoint="+engine.TLSEndpoint())
	h.eventually("a Secret is made in the App's namespace", func() (bool, string) {
		return written(h.secrets().Create(t.Context(), h.tlsSecret("tls", authority), metav1.CreateOptions{}))
	})
	h.takeSecret("tls")
	h.ok("start")
	h.env = append(h.env, misleading...)
	commands := map[string][]string{"docker": c.docker(), "moby's client": c.moby(), "Testcontainers for Node.js": c.testcontainersNode()}
	c.reach(engine, commands)
	h.env = append(h.env, "DOCKER_CONFIG="+t.TempDir())
	c.reach(engine, commands)
}

// TestRunClientsSSH: over SSH the docker command reaches the engine, and other
// clients reach none; `rdd run` warns of that.
func TestRunClientsSSH(t *testing.T) {
	server := sshd.Start(t) // changes PATH, which newHome takes
	h := newHome(t)
	engine := dockerd.Start(t, dockerd.Config{})
	c := h.newClients()
	// The docker command of Debian 12 takes no path in ssh://: the account has its own.
	server.SetDockerHost(engine.Endpoint())
	h.ok("set", "running=true", "containerEngine.endpoint="+server.Endpoint(""))
	h.env = append(h.env, misleading...)
	c.reach(engine, map[string][]string{"docker": c.docker()})
	r := h.run(append([]string{"run"}, c.moby()...)...)
	if r.code == 0 || r.stdout != "" || !strings.Contains(r.stderr, "only the docker command can connect to ssh://") {
		t.Errorf("moby's client: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
