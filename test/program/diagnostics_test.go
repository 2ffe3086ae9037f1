// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/faultproxy"
)

// finding is what programs read of `rdd status -o json`.
type finding struct {
	Code, Severity         string
	Title, Message, Remedy string
	Subject                struct{ Kind, Namespace, Name string }
}

func (f finding) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%s of %s %s/%s", f.Code, f.Subject.Kind, f.Subject.Namespace, f.Subject.Name), "/")
}

func (h *home) findings() []finding {
	h.t.Helper()
	var status struct{ Diagnostics []finding }
	output := h.ok("status", "-o", "json")
	if err := json.Unmarshal([]byte(output), &status); err != nil {
		h.t.Fatal(err)
	}
	if status.Diagnostics == nil {
		h.t.Errorf("diagnostics is null: %s", output)
	}
	if slices.ContainsFunc(h.env, func(variable string) bool { return strings.HasPrefix(variable, "XDG_DATA_HOME=") }) {
		return status.Diagnostics
	}
	// That the machine's own disk is full is not the test's doing.
	return slices.DeleteFunc(status.Diagnostics, func(f finding) bool { return f.Code == "disk-nearly-full" })
}

// finds waits until these are all problems, and the first one contains the words.
func (h *home) finds(words []string, want ...string) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("status finds %q, and says %q", want, words), func() (bool, string) {
		found := h.findings()
		var got []string
		for _, f := range found {
			got = append(got, f.String())
		}
		state := fmt.Sprintf("%+v", found)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return false, state
		}
		for _, word := range words {
			if !strings.Contains(found[0].Message+"\n"+found[0].Remedy, word) {
				return false, state
			}
		}
		return true, state
	})
}

// tells waits until there are so many Events of a type and reason about an object.
func (h *home) tells(count int32, kind, reason, object string) {
	h.t.Helper()
	clients, err := kubernetes.NewForConfig(h.config())
	if err != nil {
		h.t.Fatal(err)
	}
	events := clients.CoreV1().Events("")
	h.eventually(fmt.Sprintf("%d Events %s %s about %s", count, kind, reason, object), func() (bool, string) {
		list, err := events.List(h.t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		var seen int32
		state := ""
		for _, e := range list.Items {
			state += fmt.Sprintf("%s %s %s/%s: %s\n", e.Type, e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Message)
			if e.Type == kind && e.Reason == reason && e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name == object {
				seen += e.Count
			}
		}
		return seen == count, state
	})
}

// engineIn makes a ContainerEngine of the test's own.
func (h *home) engineIn(namespace, name, endpoint string) *containersv1alpha1.ContainerEngine {
	h.t.Helper()
	h.run("ctl", "create", "namespace", namespace) // which may be there
	e := &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       containersv1alpha1.ContainerEngineSpec{Type: containersv1alpha1.EngineMoby, Endpoint: endpoint},
	}
	if err := h.client().Create(h.t.Context(), e); err != nil {
		h.t.Fatal(err)
	}
	return e
}

func (h *home) remove(object ctrlclient.Object) {
	h.t.Helper()
	if err := h.client().Delete(h.t.Context(), object); err != nil {
		h.t.Fatal(err)
	}
}

// TestEnginesThatAreWrong: each way, as the ContainerEngine's condition has it.
func TestEnginesThatAreWrong(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 2)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.finds(nil)

	engine.Stop()
	h.finds([]string{"no such socket", "`docker -H " + engine.Endpoint() + " version`"}, "engine-not-answering of ContainerEngine rancher-desktop/moby")
	engine.SetID("another")
	if err := engine.Restart(); err != nil {
		t.Fatal(err)
	}
	h.finds([]string{`answers as engine "another"`, "`rdd stop` and `rdd start`"}, "engine-changed of ContainerEngine rancher-desktop/moby")
	h.ok("stop") // the remedy
	h.ok("start")
	h.finds(nil)

	twin := h.engineIn(namespace, "twin", engine.Endpoint())
	h.finds([]string{"moby of this namespace"}, "engine-conflict of ContainerEngine rancher-desktop/twin")
	h.remove(twin)
	// The engine has another endpoint, and is still the same.
	alias := h.engineIn(namespace, "alias", faultproxy.Start(t, engine.Endpoint()).Endpoint())
	h.finds([]string{"is the same engine (another)"}, "engine-conflict of ContainerEngine rancher-desktop/alias")
	h.tells(1, corev1.EventTypeWarning, "EngineConflict", "ContainerEngine/alias")
	h.remove(alias)
	odd := h.engineIn(namespace, "odd", "npipe:////./pipe/none")
	h.finds([]string{"ctl edit containerengine -n rancher-desktop odd`"}, "engine-unsupported of ContainerEngine rancher-desktop/odd")
	h.remove(odd)
	h.finds(nil)
}

// TestEngineShared: two namespaces with one engine work, and are reported.
func TestEngineShared(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine := fakedocker.Run(t, fakedocker.Config{ID: "one"})
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	other := h.engineIn("somewhere", "mine", engine.Endpoint())
	h.finds([]string{"ContainerEngine rancher-desktop/moby mirrors the same engine (one)"}, "engine-shared of ContainerEngine somewhere/mine")
	h.tells(1, corev1.EventTypeNormal, "EngineShared", "ContainerEngine/mine")
	if f := h.findings()[0]; f.Severity != "info" {
		t.Errorf("%+v", f)
	}
	h.ok("stop") // now it is one
	h.finds(nil)
	h.tells(1, corev1.EventTypeNormal, "EngineSharedResolved", "ContainerEngine/mine")
	h.remove(other)
}

// replace writes a file as Docker's client does: no reader sees half of it.
func replace(t *testing.T, path, content string) {
	t.Helper()
	beside := path + ".new"
	if err := os.WriteFile(beside, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, path); err != nil {
		t.Fatal(err)
	}
}

// TestContextTakenOver: another program changes the context, removes it, or
// chooses another one.
func TestContextTakenOver(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	ours := h.instance().ContextName()
	config := filepath.Join(h.dir, ".docker", "config.json")
	choose := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, config, `{"currentContext":"`+name+`"}`)
	}
	choose("gone") // so that RDD chooses its own
	engine := fakedocker.Run(t, fakedocker.Config{})
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.eventually("the context is the current one", func() (bool, string) {
		data, err := os.ReadFile(config)
		return strings.Contains(string(data), ours), fmt.Sprint(string(data), err)
	})
	h.finds(nil)
	const found = "context-taken-over of App /app"

	choose("other")
	h.finds([]string{"is other instead of " + ours, "`docker context use " + ours + "`"}, found)
	h.tells(1, corev1.EventTypeWarning, "ContextTakenOver", "App/app")
	choose(ours)
	h.finds(nil)
	h.tells(1, corev1.EventTypeNormal, "ContextTakenOverResolved", "App/app")

	metas, err := filepath.Glob(filepath.Join(h.dir, ".docker/contexts/meta/*/meta.json"))
	if err != nil || len(metas) != 1 {
		t.Fatal(metas, err)
	}
	data, err := os.ReadFile(metas[0])
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(data), engine.Endpoint(), "tcp://elsewhere:2375")
	replace(t, metas[0], moved)
	h.finds([]string{"is for tcp://elsewhere:2375", "`docker context update " + ours + " --docker host=" + engine.Endpoint() + "`"}, found)
	h.tells(2, corev1.EventTypeWarning, "ContextTakenOver", "App/app")
	if err := os.RemoveAll(filepath.Dir(metas[0])); err != nil {
		t.Fatal(err)
	}
	h.finds([]string{"removed it", "`rdd stop` and `rdd start`"}, found)
	h.ok("stop") // the remedy
	h.ok("start")
	choose(ours)
	h.finds(nil)
}

// TestStoreLarge: one object is changed until its old versions fill the file.
func TestStoreLarge(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	clients, err := kubernetes.NewForConfig(h.config())
	if err != nil {
		t.Fatal(err)
	}
	maps := clients.CoreV1().ConfigMaps("default")
	big, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "big"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.finds(nil)
	file := filepath.Join(h.path("dir"), "store.db")
	for i := 0; sizes(file, file+"-wal") < 256<<20; i++ {
		big.Data = map[string]string{"x": strings.Repeat(fmt.Sprintf("%08d", i), 1<<17-100)} // a bit less than 1 MiB, which is the limit
		if big, err = maps.Update(t.Context(), big, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	h.finds([]string{"store.db has ", "`rdd service reset`"}, "store-large of HostInfo /system")
	h.tells(1, corev1.EventTypeWarning, "StoreLarge", "HostInfo/system")
	h.ok("service", "stop")           // the log becomes a part of the file
	h.ok("service", "reset", "--yes") // the remedy
	h.finds(nil)
}

// sizes returns the size of files, those that there are, in bytes.
func sizes(paths ...string) (sum int64) {
	for _, path := range paths {
		if file, err := os.Stat(path); err == nil {
			sum += file.Size()
		}
	}
	return sum
}

// TestLimactlMissing: it counts as missing only if a virtual machine is needed.
func TestLimactlMissing(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	h := newHome(t, "PATH="+bin+":/usr/bin:/bin")
	h.run("set", "running=true") // which can't settle
	limactl := func() (found bool) {
		for _, f := range h.findings() {
			found = found || f.String() == "limactl-missing of App /app" && f.Severity == "error" && strings.Contains(f.Remedy, "install Lima")
		}
		return found
	}
	h.eventually("limactl is missing", func() (bool, string) { return limactl(), fmt.Sprint(h.findings()) })
	h.tells(1, corev1.EventTypeWarning, "LimactlMissing", "App/app")
	if err := os.WriteFile(filepath.Join(bin, "limactl"), []byte("#!/bin/sh\necho limactl version 2.2.0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.eventually("limactl is there", func() (bool, string) { return !limactl(), fmt.Sprint(h.findings()) })
	h.tells(1, corev1.EventTypeNormal, "LimactlMissingResolved", "App/app")
	if err := os.Remove(filepath.Join(bin, "limactl")); err != nil {
		t.Fatal(err)
	}
	h.eventually("limactl is missing again", func() (bool, string) { return limactl(), fmt.Sprint(h.findings()) })
	h.run("set", "containerEngine.endpoint=unix:///nowhere", "--wait=false") // now it is not wanted
	h.finds(nil, "engine-not-answering of ContainerEngine rancher-desktop/moby")
}

// TestStatusWatch: in a pipe it prints again what has changed, and nothing else.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	watch := h.spawn("rdd", "status", "--watch")
	asJSON := h.spawn("rdd", "status", "--watch", "-o", "json")
	watch.prints("not created")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	watch.prints("3 containers")
	watch.prints("Settled, connected to " + engine.Endpoint())
	engine.Stop()
	watch.prints("error: The engine does not answer (engine-not-answering, ContainerEngine rancher-desktop/moby)")
	asJSON.prints(`"code": "engine-not-answering"`)
	h.ok("service", "stop")
	watch.prints("Service    stopped")
	if code := watch.interrupt(); code != 0 {
		t.Errorf("exit code %d: %s", code, watch.stderr)
	}
	asJSON.prints(`"started": false`)
	if code := asJSON.interrupt(); code != 0 {
		t.Errorf("exit code %d: %s", code, asJSON.stderr)
	}
	blocks := strings.Split(watch.stdout.String(), "\n\n")
	for i := 1; i < len(blocks); i++ {
		if blocks[i] == blocks[i-1] {
			t.Errorf("a block is printed twice:\n%s", blocks[i])
		}
	}
	for decoder := json.NewDecoder(strings.NewReader(asJSON.stdout.String())); decoder.More(); {
		var status struct{ Diagnostics []finding }
		if err := decoder.Decode(&status); err != nil || status.Diagnostics == nil {
			t.Errorf("%+v, %v", status, err)
		}
	}
}

// TestStatusOfAnotherVersion: the status of a daemon of another version reports its version.
func TestStatusOfAnotherVersion(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=false")
	path := filepath.Join(h.path("dir"), "daemon.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(data), `"version":"`+h.status().Version+`"`, `"version":"0.0.0-before"`, 1)
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	h.finds([]string{"the running daemon is rdd 0.0.0-before", "`rdd service start`"}, "daemon-other-version of Service /"+h.name)
	if screen := h.ok("status"); !strings.Contains(screen, "App        desired state stopped: Settled") {
		t.Errorf("it tells nothing of the App:\n%s", screen)
	}
}

// TestDaemonEnded: `rdd status` says that a daemon was killed, or failed to start, and
// why, until the next one starts; of one that was stopped it says nothing.
func TestDaemonEnded(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	failure := func() (kind, message string) {
		t.Helper()
		var status struct {
			Failure struct{ Kind, Message string }
		}
		if err := json.Unmarshal([]byte(h.ok("service", "status", "-o", "json")), &status); err != nil {
			t.Fatal(err)
		}
		return status.Failure.Kind, status.Failure.Message
	}
	h.ok("service", "start")
	h.ok("service", "stop")
	h.finds(nil)
	h.ok("service", "start")
	h.kill()
	h.finds([]string{"was killed", "`rdd service start`"}, "daemon-ended of Service /"+h.name)
	contains(t, h.ok("status"), "ended by itself")
	if kind, _ := failure(); kind != "Crashed" {
		t.Errorf("the failure is %q", kind)
	}
	h.ok("service", "start")
	h.finds(nil)
	h.ok("service", "stop")

	if err := os.Truncate(filepath.Join(h.path("dir"), "store.db"), 0); err != nil {
		t.Fatal(err)
	}
	r := h.fails(1, []string{"damaged"}, "service", "start")
	kind, message := failure()
	if kind != "Failed" || !strings.Contains(r.stderr, message) {
		t.Errorf("the failure is %q: %q, and the command says %q", kind, message, r.stderr)
	}
	h.finds([]string{"damaged"}, "daemon-ended of Service /"+h.name)
}
