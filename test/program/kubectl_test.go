// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

const engineManifest = `
apiVersion: containers.rancherdesktop.io/v1alpha1
kind: ContainerEngine
metadata: {name: applied, namespace: default}
spec: {type: moby, endpoint: "unix:///nowhere", resyncPeriod: 30s}
`

// TestKubectl does with kubectl what its users do: with the one that is built
// in, and with an older one.
//
//nolint:tparallel // its steps share one instance
func TestKubectl(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	kubeconfig := filepath.Join(h.dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(h.ok("service", "config")), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "KUBECONFIG="+kubeconfig, "KUBE_EDITOR=sed -i s/45s/50s/")
	// A kubectl by name, as a link would have it.
	if err := os.Symlink(filepath.Join(programs, "rdd"), filepath.Join(h.dir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	t.Run("ctl", func(t *testing.T) { testKubectl(t, h, engine, []string{filepath.Join(programs, "rdd"), "ctl"}) })
	t.Run("named", func(t *testing.T) { testKubectl(t, h, engine, []string{filepath.Join(h.dir, "kubectl")}) })
	t.Run("older", func(t *testing.T) { testKubectl(t, h, engine, []string{buildOldKubectl(t, h)}) })
}

// buildOldKubectl builds a kubectl of the last version that reads OpenAPI v2 for apply,
// create, diff and edit.
func buildOldKubectl(t *testing.T, h *home) string {
	t.Helper()
	program := filepath.Join(h.dir, "old", "kubectl")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../oldkubectl", "-o", program,
		"-ldflags", "-X k8s.io/component-base/version.gitVersion=v1.27.16", ".")
	build.Env = append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build a kubectl of another version: %v\n%s", err, out)
	}
	return program
}

func testKubectl(t *testing.T, h *home, engine *fakedocker.Server, kubectl []string) {
	run := func(args ...string) result { return h.runProgram(kubectl[0], append(kubectl[1:], args...)...) }
	says := func(words []string, args ...string) string {
		t.Helper()
		r := run(args...)
		if r.code != 0 {
			t.Errorf("%v: exit code %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
		for _, word := range words {
			if !strings.Contains(r.stdout, word) {
				t.Errorf("%v does not say %q:\n%s%s", args, word, r.stdout, r.stderr)
			}
		}
		return r.stdout
	}
	manifest := filepath.Join(h.dir, "engine.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	says([]string{"+rdd-"}, "version", "-o", "json")
	says([]string{"containers", "containerengines", "App", "configmaps"}, "api-resources")
	says([]string{"yes"}, "auth", "can-i", "delete", "containers")
	says([]string{"NAME", "CONTAINER", "IMAGE", "STATUS", "PORTS", "ENGINE", "AGE", "running"}, "get", "containers", "-n", namespace)
	says([]string{"moby", "Connected"}, "get", "containerengine", "-A")
	says([]string{"busybox:latest"}, "get", "images", "-n", namespace)
	says([]string{"container.containers.rancherdesktop.io/", "image.containers.rancherdesktop.io/", "containerengine.containers.rancherdesktop.io/moby"},
		"get", "all", "-n", namespace)
	says(nil, "get", "cns", "-A")
	says([]string{"exitCode", "startedAt"}, "explain", "container.status")

	write(engineManifest)
	says([]string{"created"}, "apply", "-f", manifest)
	says([]string{"unchanged"}, "apply", "-f", manifest)
	write(strings.Replace(engineManifest, "30s", "45s", 1))
	if r := run("diff", "-f", manifest); r.code != 1 || !strings.Contains(r.stdout, "45s") {
		t.Errorf("diff: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	says([]string{"configured"}, "apply", "-f", manifest)
	says([]string{"condition met"}, "wait", "--for=condition=Ready=false", "containerengine/applied", "-n", "default", "--timeout=30s")
	says([]string{"45s"}, "get", "containerengine", "applied", "-n", "default", "-o", "jsonpath={.spec.resyncPeriod}")
	says([]string{"ConnectFailed"}, "describe", "containerengine", "applied", "-n", "default")
	says([]string{"edited"}, "edit", "containerengine", "applied", "-n", "default")
	says([]string{"50s"}, "get", "containerengine", "applied", "-n", "default", "-o", "jsonpath={.spec.resyncPeriod}")
	testKubectlUnknown(t, run, manifest, write)
	write(strings.Replace(engineManifest, "unix:", "http:", 1))
	if r := run("apply", "-f", manifest); r.code == 0 || !strings.Contains(r.stderr, "unix:///") {
		t.Errorf("an endpoint that is none: exit code %d: %s", r.code, r.stderr)
	}
	says(nil, "delete", "containerengine", "applied", "-n", "default")

	var list struct {
		Items []struct{ Status struct{ Name string } }
	}
	first := says(nil, "get", "containers", "-n", namespace, "-o", "json")
	if err := json.Unmarshal([]byte(first), &list); err != nil || len(list.Items) == 0 {
		t.Fatalf("%v: %s", err, first)
	}
	if got := strings.Fields(says(nil, "get", "containers", "-n", namespace, "-o", "name", "--field-selector", "status.name="+list.Items[0].Status.Name)); len(got) != 1 {
		t.Errorf("a field selector finds %v", got)
	}
	if got := run("get", "containers", "-n", namespace, "-o", "name", "--field-selector", "status.pid=1"); got.code == 0 {
		t.Error("a field that is not selectable was taken")
	}
	testKubectlWatch(t, h, engine, kubectl)
}

// testKubectlUnknown asks for what is not there: the answer names it, and tells of no
// document that could not be read.
func testKubectlUnknown(t *testing.T, run func(args ...string) result, manifest string, write func(text string)) {
	t.Helper()
	write("apiVersion: nothing.example.com/v1\nkind: Nothing\nmetadata: {name: x}\n")
	for _, command := range []string{"create", "apply", "diff"} {
		if r := run(command, "-f", manifest); r.code == 0 || !strings.Contains(r.stderr, `no matches for kind "Nothing"`) || strings.Contains(r.stderr, "openapi") {
			t.Errorf("%s of an unknown kind: exit code %d: %s%s", command, r.code, r.stdout, r.stderr)
		}
	}
	if r := run("explain", "nothing"); r.code == 0 || !strings.Contains(r.stderr, `"nothing"`) || strings.Contains(r.stderr, "openapi") {
		t.Errorf("explain of an unknown kind: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	write(strings.Replace(engineManifest, "endpoint", "endpiont", 1))
	if r := run("create", "-f", manifest); r.code == 0 || !strings.Contains(r.stderr, `unknown field "spec.endpiont"`) {
		t.Errorf("a field that is not there: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// testKubectlWatch sees a container appear and vanish.
func testKubectlWatch(t *testing.T, h *home, engine *fakedocker.Server, kubectl []string) {
	t.Helper()
	output, err := os.Create(filepath.Join(h.dir, "watch"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = output.Close() }()
	cmd := h.command(t.Context(), kubectl[0], append(kubectl[1:], "get", "containers", "-n", namespace, "--watch-only", "--no-headers")...)
	cmd.Stdout = output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	name := strings.NewReplacer("/", "-").Replace(t.Name())
	deadline := time.Now().Add(patience)
	for round := 0; ; round++ { // the watch may not have begun at the first
		id := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: name + string(rune('a'+round%26)), Running: true})[0]
		for range 50 {
			if data, _ := os.ReadFile(output.Name()); strings.Contains(string(data), id) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		if time.Now().After(deadline) {
			t.Fatal("the watch never shows a container")
		}
	}
}

// TestPrune: objects that are no longer applied are deleted, without a list of kinds.
func TestPrune(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dir := filepath.Join(h.dir, "applied")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kept", "gone"} {
		manifest := fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, labels: {app: x}}}", name)
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.ok("service", "create")
	h.ok("ctl", "apply", "-f", dir, "--prune", "-l", "app=x")
	if err := os.Remove(filepath.Join(dir, "gone.yaml")); err != nil {
		t.Fatal(err)
	}
	if said := h.ok("ctl", "apply", "-f", dir, "--prune", "-l", "app=x"); !strings.Contains(said, "configmap/gone pruned") {
		t.Errorf("it says %s", said)
	}
	h.fails(1, []string{"not found"}, "ctl", "get", "configmap", "gone")
	h.ok("ctl", "get", "configmap", "kept")
}
