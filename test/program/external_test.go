// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// goneLimit is how long a standalone program may go on when the control plane
// has gone.
const goneLimit = 10 * time.Second

// entries returns the entries of the discovery ConfigMap.
func (h *home) entries() map[string]manager.Entry {
	h.t.Helper()
	state, err := manager.Discovery{Client: h.kubernetes()}.Read(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return state.Entries
}

func (h *home) kubernetes() kubernetes.Interface {
	h.t.Helper()
	client, err := kubernetes.NewForConfig(h.config())
	if err != nil {
		h.t.Fatal(err)
	}
	return client
}

// runs waits until a manager reports that it runs a controller.
func (h *home) runs(key, controller string) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("%s runs %s", key, controller), func() (bool, string) {
		entries := h.entries()
		return slices.Contains(entries[key].EnabledControllers, controller), fmt.Sprint(entries)
	})
}

// holder returns who holds the lease of a controller.
func (h *home) holder(controller string) string {
	h.t.Helper()
	var lease coordinationv1.Lease
	key := ctrlclient.ObjectKey{Namespace: manager.SystemNamespace, Name: "rdd-controller-" + controller}
	client, err := ctrlclient.New(h.config(), ctrlclient.Options{})
	if err == nil {
		err = client.Get(h.t.Context(), key, &lease)
	}
	if ctrlclient.IgnoreNotFound(err) != nil {
		h.t.Fatal(err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// connectTo makes a ContainerEngine by hand, and waits until it is connected.
func (h *home) connectTo(engine *fakedocker.Server) {
	h.t.Helper()
	ce := &containersv1alpha1.ContainerEngine{Spec: containersv1alpha1.ContainerEngineSpec{
		Type: containersv1alpha1.EngineMoby, Endpoint: engine.Endpoint(),
	}}
	ce.Name, ce.Namespace = "hand", namespace
	c := h.client()
	if err := c.Create(h.t.Context(), ce); err != nil {
		h.t.Fatal(err)
	}
	h.ok("ctl", "wait-condition", "containerengine/hand", "Ready", "--timeout", patience.String())
}

// TestStandaloneBesideTheDaemon: if the daemon runs a controller, a standalone
// program does not run it, and names the process that does.
func TestStandaloneBesideTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	r := h.runProgram(filepath.Join(programs, "containers-controller"), "--no-wait")
	if r.code != 1 || !strings.Contains(r.stderr, "controller engine: already run by embedded") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	waiting := h.spawn("containers-controller")
	waiting.says("Controller engine is run by embedded")
	if _, ok := h.entries()["containers"]; ok {
		t.Error("a program that waits announces itself")
	}
	if code := waiting.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestStandaloneTakesOver: a program runs the controllers that the daemon does not run; a program that was
// killed is replaced by one that waited, and the engine is asked by one only.
func TestStandaloneTakesOver(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 5)
	h.ok("service", "start", "--controllers", "*,-engine")
	first := h.spawn("containers-controller")
	h.runs("containers", "engine")
	h.connectTo(engine)

	second := h.spawn("containers-controller")
	second.says("Controller engine is run by containers-controller on ")
	held := h.holder("engine")
	first.kill()
	h.eventually("the lease passes over", func() (bool, string) {
		holder := h.holder("engine")
		return holder != held, holder
	})
	added := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	h.eventually("the second one mirrors", func() (bool, string) {
		mirrored := h.mirrored()
		return slices.Contains(mirrored, added[0]), fmt.Sprint(mirrored)
	})
	if streams := engine.Streams(); streams != 1 {
		t.Errorf("%d event streams are open", streams)
	}
	h.runs("containers", "engine")
	if code := second.interrupt(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if entry, ok := h.entries()["containers"]; ok {
		t.Errorf("the entry of a program that ended is left behind: %v", entry)
	}
	if holder := h.holder("engine"); holder != "" {
		t.Errorf("the lease of a program that ended is held by %s", holder)
	}
}

// TestStandaloneEndsWithTheControlPlane: within ten seconds, with success; and
// not when the control plane is only started again.
func TestStandaloneEndsWithTheControlPlane(t *testing.T) {
	h := newHome(t)
	h.ok("service", "start", "--controllers", "*,-engine")
	p := h.spawn("containers-controller")
	h.runs("containers", "engine")

	h.kill()
	h.ok("service", "start", "--controllers", "*,-engine")
	h.runs("containers", "engine") // it announces itself to the new one

	h.kill()
	if code := p.wait(goneLimit); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.stderr)
	}
}

// TestStandaloneFailsClosed: an object that can't be read does not count as absent.
//
//nolint:tparallel // its steps share one instance
func TestStandaloneFailsClosed(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "")
	program := filepath.Join(programs, "app-controller")
	t.Run("no rights", func(t *testing.T) {
		h := h.in(t)
		h.ok("ctl", "create", "serviceaccount", "roleless")
		token := strings.TrimSpace(h.ok("ctl", "create", "token", "roleless"))
		r := h.runProgram(program, "--kubeconfig", h.kubeconfig(token, h.config().Host))
		if r.code != 3 && r.code != 1 || !strings.Contains(r.stderr, "forbidden") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
	})
	t.Run("not there", func(t *testing.T) {
		h := h.in(t)
		r := h.runProgram(program, "--kubeconfig", h.kubeconfig("none", "https://127.0.0.1:1"), "--timeout", "5s")
		if r.code != 4 || !strings.Contains(r.stderr, "127.0.0.1:1") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
	})
	t.Run("no entry is readable", func(t *testing.T) {
		h := h.in(t)
		patch := `{"data":{"embedded":"not JSON"}}`
		h.ok("ctl", "-n", manager.SystemNamespace, "patch", "configmap", manager.DiscoveryName, "--type=merge", "-p", patch)
		r := h.runProgram(program, "--timeout", "5s")
		if r.code != 4 || !strings.Contains(r.stderr, `the entry "embedded"`) {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
	})
	if names := h.ok("ctl", "get", "crd", "-o", "name"); strings.Contains(names, "apps.app.") {
		t.Errorf("a program that must not start has made definitions: %s", names)
	}
}

// kubeconfig writes a kubeconfig for a token.
func (h *home) kubeconfig(token, server string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, "kubeconfig-"+token[:4])
	authority := base64.StdEncoding.EncodeToString(h.config().CAData)
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": []any{map[string]any{"name": "c", "cluster": map[string]any{"server": server, "certificate-authority-data": authority}}},
		"users":    []any{map[string]any{"name": "u", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "c", "user": "u"}}},
	}
	data, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return path
}

// TestNeverTwoAtWork starts the daemon and a standalone program at the same
// moment. Whichever process runs the controller, the engine has one event stream at any time, and each
// container is removed by one request.
func TestNeverTwoAtWork(t *testing.T) {
	t.Parallel()
	for round := range rounds(t, 20, 3) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			const containers = 10
			engine, _ := startEngine(t, containers)
			h.ok("service", "create", "--controllers", "containers")
			if round%2 == 1 { // half of the starts are warm, and the program's comes first
				h.ok("service", "start")
				h.connectTo(engine)
				h.kill()
			}
			program := h.spawn("containers-controller")
			h.ok("service", "start")
			if round%2 == 0 {
				h.connectTo(engine)
			}
			most := 0
			h.eventually("all is mirrored", func() (bool, string) {
				most = max(most, engine.Streams())
				mirrored := h.mirrored()
				return len(mirrored) == containers && engine.Streams() == 1, fmt.Sprint(mirrored)
			})
			h.ok("ctl", "delete", "containers", "--all")
			h.eventually("all is removed", func() (bool, string) {
				most = max(most, engine.Streams())
				left := engine.Counts().Containers
				return left == 0 && len(h.mirrored()) == 0, fmt.Sprint(left)
			})
			if most > 1 {
				t.Errorf("%d event streams were open at a time", most)
			}
			removals := 0
			for route, n := range engine.Requests() {
				if strings.HasPrefix(route, "DELETE /containers/") {
					removals += n
				}
			}
			if removals != containers {
				t.Errorf("%d requests to remove %d containers: %v", removals, containers, engine.Requests())
			}
			if code := program.interrupt(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestLinkedIsNotRun: a program runs the controllers of its own group, whatever
// else is linked in.
func TestLinkedIsNotRun(t *testing.T) {
	t.Parallel()
	linked := filepath.Join(t.TempDir(), "linked")
	build := []string{"build", "-o", linked, "./testdata/linked"}
	cgo := "0"
	if raceEnabled {
		build, cgo = slices.Insert(build, 1, "-race"), "1"
	}
	cmd := exec.CommandContext(t.Context(), "go", build...)
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h := newHome(t)
	h.ok("service", "start", "--controllers", "")
	h.spawn(linked)
	h.runs("app", "app")
	if got, want := h.entries()["app"].EnabledControllers, []string{"app", "demo"}; !slices.Equal(got, want) {
		t.Errorf("it runs %v, want %v", got, want)
	}
	if names := h.ok("ctl", "get", "crd", "-o", "name"); strings.Contains(names, "images.containers.") {
		t.Errorf("it brings definitions of another group: %s", names)
	}
	if holder := h.holder("engine"); holder != "" {
		t.Errorf("the lease of another group's controller is held by %s", holder)
	}
}

// TestDefinitionsOfOthers: an older program does not put its definitions in the
// place of newer ones, and none takes what is not RDD's.
//
//nolint:tparallel // its steps share one instance
func TestDefinitionsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "*,-app,-demo")
	const crd = "demos.app.rancherdesktop.io"
	first := h.spawn("app-controller")
	h.runs("app", "demo")
	first.interrupt()

	t.Run("newer", func(t *testing.T) {
		h := h.in(t)
		h.ok("ctl", "annotate", "--overwrite", "crd", crd, "rdd.rancherdesktop.io/revision=99")
		h.ok("ctl", "patch", "crd", crd, "--type=json", "-p",
			`[{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/newer","value":{"type":"string"}}]`)
		older := h.spawn("app-controller")
		h.runs("app", "demo")
		if got := h.ok("ctl", "get", "crd", crd, "-o", "jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.newer.type}"); got != "string" {
			t.Errorf("the newer definition was replaced: %q", got)
		}
		older.interrupt()
	})
	t.Run("foreign", func(t *testing.T) {
		h := h.in(t)
		h.ok("ctl", "annotate", "crd", crd, "rdd.rancherdesktop.io/revision-")
		r := h.runProgram(filepath.Join(programs, "app-controller"))
		if r.code != 1 || !strings.Contains(r.stderr, crd) || !strings.Contains(r.stderr, "RDD did not create") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
	})
}

// TestForeignObjects: with the kinds and without the mirror, a second program's
// objects are its own.
func TestForeignObjects(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "containers,-engine")
	c := h.client()
	var made []*containersv1alpha1.Container
	for i := range 3 {
		object := &containersv1alpha1.Container{}
		object.Name, object.Namespace = fmt.Sprint("mine-", i), namespace
		object.Labels = map[string]string{containersv1alpha1.EngineLabel: "moby"}
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		object.Status.Name = "by hand"
		if err := c.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		made = append(made, object)
	}
	// A daemon with all controllers and an engine of the same name, too.
	engine, _ := startEngine(t, 3)
	h.ok("service", "stop")
	h.ok("service", "start", "--controllers", "*")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.ok("stop")
	for _, object := range made {
		var now containersv1alpha1.Container
		if err := c.Get(t.Context(), ctrlclient.ObjectKeyFromObject(object), &now); err != nil {
			t.Fatal(err)
		}
		if now.ResourceVersion != object.ResourceVersion {
			t.Errorf("%s was written: %v", now.Name, now)
		}
		if err := c.Delete(t.Context(), &now); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.mirrored(); len(got) != 0 {
		t.Errorf("objects without a finalizer are still there after their deletion: %v", got)
	}
	if n := engine.Counts().Containers; n != 3 {
		t.Errorf("the engine has %d containers", n)
	}
}
