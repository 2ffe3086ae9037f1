// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// app returns the App.
func (h *home) app() *appv1alpha1.App {
	h.t.Helper()
	app := &appv1alpha1.App{}
	if err := h.client().Get(h.t.Context(), ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, app); err != nil {
		h.t.Fatal(err)
	}
	return app
}

// engineIs checks which engine the App has.
func (h *home) engineIs(want string) {
	h.t.Helper()
	if got := h.app().Spec.ContainerEngine.Endpoint; got != want {
		h.t.Errorf("the engine is at %s, want %s", got, want)
	}
}

// TestStartFindsAnEngine: `rdd start` without a setting takes the engine that
// docker would, says so, and stays with it.
func TestStartFindsAnEngine(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	first, _ := startEngine(t, 2)
	second, _ := startEngine(t, 1)
	h.env = append(h.env, "DOCKER_HOST="+first.Endpoint())
	h.succeeds([]string{"Docker 20.10.24", first.Endpoint(), "(DOCKER_HOST)", "rdd set containerEngine.endpoint", "Settled: connected"}, "start")
	h.engineIs(first.Endpoint())
	h.env = append(h.env, "DOCKER_HOST="+second.Endpoint())
	h.ok("stop")
	if r := h.succeeds([]string{"Settled: connected to " + first.Endpoint()}, "start"); strings.Contains(r.stderr, "DOCKER_HOST") {
		t.Errorf("an engine was looked for again:\n%s", r.stderr)
	}
	// An App that has no engine gets one, too.
	h.ok("set", "running=false", "containerEngine.endpoint=")
	h.ok("start")
	h.engineIs(second.Endpoint())
	h.ok("set", "running=false", "containerEngine.endpoint=", "containerEngine.name=containerd")
	h.fails(1, []string{"containerd", "containerEngine.endpoint"}, "start")
}

// TestStartFindsTheContext: the contexts are those that docker itself has written.
func TestStartFindsTheContext(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal("the docker command is needed, as from Debian's docker-cli: ", err)
	}
	engine, _ := startEngine(t, 1)
	other, _ := startEngine(t, 1)
	for _, args := range [][]string{
		{"context", "create", "far", "--docker", "host=" + engine.Endpoint()},
		{"context", "create", "other", "--docker", "host=" + other.Endpoint()},
		{"context", "use", "far"},
	} {
		if r := h.runProgram(docker, args...); r.code != 0 {
			t.Fatalf("docker %v: %s", args, r.stderr)
		}
	}
	h.env = append(h.env, "DOCKER_HOST=tcp://127.0.0.1:1")
	h.succeeds([]string{"Skipped: DOCKER_HOST: tcp://127.0.0.1:1: connection refused", "your current Docker context, far"}, "start")
	h.engineIs(engine.Endpoint())
	h.ok("delete", "--yes")
	h.env = append(h.env, "DOCKER_HOST=", "DOCKER_CONTEXT=other")
	h.succeeds([]string{"DOCKER_CONTEXT=other"}, "start")
	h.engineIs(other.Endpoint())
	h.ok("delete", "--yes")
}

// TestStartWithoutAnEngine: if no engine answers, the command reports what to
// install, and makes no App.
func TestStartWithoutAnEngine(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/var/run/docker.sock", "/run/podman/podman.sock"} {
		if _, err := os.Stat(path); err == nil || runtime.GOOS == "windows" {
			t.Skip("this machine has an engine at ", path)
		}
	}
	h := newHome(t)
	h.fails(1, []string{"no Docker engine answers", "Install Lima", "Docker", "containerEngine.endpoint=", "limactl was not found", "stopped again"}, "start")
	if h.alive() {
		t.Error("a start that failed has left a daemon")
	}
	if apps := h.ok("ctl", "get", "app", "-o", "name"); apps != "" {
		t.Errorf("there is %s", apps)
	}
	// A rootless engine is at a usual place of its own.
	engine := fakedocker.New(fakedocker.Config{})
	t.Cleanup(engine.Close)
	runtimeDir := filepath.Join(h.dir, "run")
	if err := os.Mkdir(runtimeDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := engine.ListenUnix(filepath.Join(runtimeDir, "docker.sock")); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "XDG_RUNTIME_DIR="+runtimeDir)
	h.succeeds([]string{"(a usual place)", "Settled"}, "start")
}

// TestStopAndDeleteOfNothing: neither makes an App, or leaves a daemon behind
// that did not run before.
func TestStopAndDeleteOfNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, command := range []string{"stop", "delete", "reset"} {
		h.succeeds([]string{"does not exist"}, command)
	}
	if files := h.files(); len(files) != 0 {
		t.Errorf("commands of nothing made files: %v", files)
	}
	h.ok("service", "create")
	for _, command := range []string{"stop", "delete", "reset"} {
		h.succeeds([]string{"There is no "}, command)
		if h.alive() {
			t.Fatalf("%s left a daemon behind", command)
		}
	}
	h.ok("service", "start")
	h.succeeds([]string{"There is no App: nothing is running"}, "stop")
	h.succeeds([]string{"There is no App: there is nothing to delete"}, "delete")
	if !h.alive() {
		t.Error("the daemon that ran was stopped")
	}
	if apps := h.ok("ctl", "get", "app", "-o", "name"); apps != "" {
		t.Errorf("there is %s", apps)
	}
}

// TestStopWithoutADaemon: the result of a stop still holds when a daemon runs again.
func TestStopWithoutADaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.ok("service", "stop")
	h.succeeds([]string{"Settled: stopped"}, "stop")
	if h.alive() {
		t.Error("a daemon was left behind")
	}
	h.ok("service", "start")
	if h.app().Spec.Running {
		t.Error("the App is to run again")
	}
}

// TestDelete: the App is gone with what it owns when the command ends, and what
// is in the engine is not.
func TestDelete(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 20)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.succeeds([]string{"There is no virtual machine", "nothing was changed"}, "reset", "--yes")
	h.engineIs(engine.Endpoint())
	h.succeeds([]string{"waiting for the deletion of the ContainerEngine rancher-desktop/moby", "Deleted the App and everything it owned"}, "delete", "--yes")
	var lists struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(h.ok("ctl", "get", "app,containerengine,container,image,volume", "-A", "-o", "json")), &lists); err != nil {
		t.Fatal(err)
	}
	if len(lists.Items) != 0 {
		t.Errorf("left: %s", lists.Items)
	}
	if counts := engine.Counts(); counts.Running != 20 {
		t.Errorf("the engine after delete: %+v", counts)
	}
	// One that is on its way out is waited for by the next that is made.
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.succeeds([]string{"is being deleted"}, "delete", "--yes", "--wait=false")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	if got := h.mirrored(); len(got) != 20 {
		t.Errorf("%d containers are mirrored, want 20", len(got))
	}
}

// TestDeleteThatTakesLong: the remaining object is reported, and the exit code is that
// of a wait that is over.
func TestDeleteThatTakesLong(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=false")
	h.ok("ctl", "patch", "app", "app", "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/held"]}}`)
	h.fails(4, []string{"not deleted in time", "the App", "log: "}, "delete", "--yes", "--timeout", "10s")
	waiting := h.spawn("rdd", "delete", "--yes")
	waiting.says("waiting for the deletion of the App")
	if code := waiting.interrupt(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	waiting.says("The daemon continues to delete the App")
	h.ok("ctl", "patch", "app", "app", "--type=merge", "-p", `{"metadata":{"finalizers":[]}}`)
	h.succeeds([]string{"There is no App"}, "delete")
}

// TestStartThatTakesTooLong: the start that continues is reported, with how to stop it.
func TestStartThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, timeout := range []string{"1ms", "100ms"} {
		h := newHome(t)
		r := h.run("service", "start", "--timeout", timeout)
		if r.code == 0 {
			continue // a fast machine
		}
		if r.code != 4 || !strings.Contains(r.stderr, "`rdd service stop`") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
		h.ok("service", "start")
	}
}
