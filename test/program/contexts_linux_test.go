// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// context returns the name of the instance's Docker context.
func (h *home) context() string { return h.instance().ContextName() }

// docker runs Docker's client as the user of the home directory does, who has no
// variable for the engine.
func (h *home) docker(args ...string) result {
	h.t.Helper()
	user := *h
	user.env = slices.DeleteFunc(slices.Clone(h.env), func(variable string) bool {
		return strings.HasPrefix(variable, "DOCKER_HOST=") || strings.HasPrefix(variable, "DOCKER_CONTEXT=")
	})
	return user.runProgram("docker", args...)
}

// dockerSays runs Docker's client, which must succeed.
func (h *home) dockerSays(args ...string) string {
	h.t.Helper()
	r := h.docker(args...)
	if r.code != 0 {
		h.t.Fatalf("docker %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// dockerConfig is the configuration of Docker's client.
func (h *home) dockerConfig() string { return filepath.Join(h.dir, ".docker", "config.json") }

// uses makes the configuration of Docker's client one with a current context and
// more, and returns it.
func (h *home) uses(name string) string {
	h.t.Helper()
	text := "{\n  \"auths\": {\"registry.invalid\": {}},\n  \"ours\": [1.0, 1e3],\n  \"currentContext\": \"" + name + "\"\n}\n"
	if err := os.MkdirAll(filepath.Dir(h.dockerConfig()), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.dockerConfig(), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return text
}

func (h *home) readDockerConfig() string {
	h.t.Helper()
	data, err := os.ReadFile(h.dockerConfig())
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

// current checks which context Docker's client says is the current one.
func (h *home) current(want string) {
	h.t.Helper()
	if got := h.dockerSays("context", "ls", "--format", "{{if .Current}}{{.Name}}{{end}}"); got != want {
		h.t.Errorf("the current Docker context is %q, want %q", got, want)
	}
}

// contextIs checks whether there is a context of the instance, and whether the
// App reports that.
func (h *home) contextIs(there bool) {
	h.t.Helper()
	names := strings.Fields(h.dockerSays("--context", "default", "context", "ls", "-q")) // without the current engine, which may not answer
	if slices.Contains(names, h.context()) != there {
		h.t.Errorf("the contexts are %q", names)
	}
	want := ""
	if there {
		want = h.context()
	}
	var app appv1alpha1.App
	if err := h.client().Get(h.t.Context(), ctrlclient.ObjectKey{Name: appv1alpha1.AppName}, &app); err != nil || app.Status.DockerContext != want {
		h.t.Errorf("the App's Docker context is %q: %v", app.Status.DockerContext, err)
	}
}

// TestDockerContext: the user of a context that does not answer is led to the
// engine for as long as RDD is connected to it, and Docker's client finds all as
// it should be.
func TestDockerContext(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine := dockerd.Start(t, dockerd.Config{})
	startContainer(t, engine, "web", "sleep 1000")
	h.dockerSays("context", "create", "work", "--docker", "host=unix:///nowhere")
	before := h.uses("work")

	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.current(h.context())
	h.contextIs(true)
	contains(t, h.dockerSays("ps"), "web")
	contains(t, h.dockerSays("context", "inspect", h.context()), engine.Endpoint(), "Rancher Desktop (instance "+h.name+")")
	contains(t, h.readDockerConfig(), `"auths": {"registry.invalid": {}}`, `"ours": [1.0, 1e3]`)

	// A stop of the service is none of the engine.
	h.ok("service", "stop")
	h.current(h.context())
	contains(t, h.dockerSays("ps"), "web")
	h.ok("service", "start")

	h.ok("stop")
	h.current("work")
	h.contextIs(false)
	if got := h.readDockerConfig(); got != before {
		t.Errorf("the configuration is %s, and was %s", got, before)
	}

	// It is deleted with the App, and with the instance.
	h.ok("start")
	h.current(h.context())
	h.ok("ctl", "delete", "app", "app", "--timeout=60s")
	h.current("work")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.current(h.context())
	h.ok("service", "delete")
	h.current("work")
	if got := h.dockerSays("context", "ls", "-q"); strings.Contains(got, h.context()) {
		t.Errorf("the contexts after the end of the instance: %q", got)
	}
	if left, err := filepath.Glob(filepath.Join(h.dir, ".docker", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}

// TestDockerContextsOfUsers: what the user has decides whether ours becomes the
// current one, and stays as it is.
func TestDockerContextsOfUsers(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	healthy, _ := startEngine(t, 0)
	h.dockerSays("context", "create", "healthy", "--docker", "host="+healthy.Endpoint())
	h.ok("set", "running=false", "containerEngine.endpoint="+engine.Endpoint())
	check := func(name, current, ours string) {
		t.Helper()
		before := h.uses(current)
		h.ok("start")
		h.current(ours)
		h.contextIs(true)
		h.ok("stop")
		h.contextIs(false)
		if got := h.readDockerConfig(); got != before {
			t.Errorf("%s: the configuration is %s, and was %s", name, got, before)
		}
	}
	check("healthy", "healthy", "healthy")
	check("missing", "missing", h.context())

	target := filepath.Join(h.dir, "dotfiles.json")
	if err := errors.Join(os.Rename(h.dockerConfig(), target), os.Symlink(target, h.dockerConfig())); err != nil {
		t.Fatal(err)
	}
	check("a symlink", "missing", h.context())
	if info, err := os.Lstat(h.dockerConfig()); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}

	for _, variable := range []string{"DOCKER_HOST=unix:///nowhere", "DOCKER_CONTEXT=healthy"} {
		h.ok("service", "stop")
		h.env = append(h.env, variable)
		h.uses("missing")
		h.ok("service", "start")
		h.ok("start")
		contains(t, h.readDockerConfig(), `"currentContext": "missing"`)
		if got := h.ok("ctl", "get", "app", "app", "-o", "jsonpath={.status.dockerContext}"); got != h.context() {
			t.Errorf("with %s the context is %q", variable, got)
		}
		h.ok("stop")
		contains(t, h.readDockerConfig(), `"currentContext": "missing"`)
		h.env = h.env[:len(h.env)-1]
	}
}

// TestDockerContextCantBeWritten: the error is reported, and blocks nothing.
func TestDockerContextCantBeWritten(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	before := h.uses("missing")
	if err := os.Chmod(h.dockerConfig(), 0o400); err != nil {
		t.Fatal(err)
	}
	h.succeeds([]string{"Settled: connected", "read-only", h.dockerConfig()}, "set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.contextIs(true)
	contains(t, h.dockerSays("--context", h.context(), "ps"), "busybox")
	h.eventually("an Event tells of it", func() (bool, string) {
		list, err := h.kubernetes().CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		reports := 0
		for _, event := range list.Items {
			if event.Reason == "ContextFailed" && event.InvolvedObject.Kind == "App" && strings.Contains(event.Message, "read-only") {
				reports += int(max(1, event.Count))
			}
		}
		return reports == 1, fmt.Sprintf("reported %d times in %d Events", reports, len(list.Items))
	})
	contains(t, h.ok("status"), "context-failed", h.dockerConfig(), "docker -H "+engine.Endpoint())
	h.succeeds([]string{"Settled: stopped"}, "stop")
	h.contextIs(false)
	if got := h.readDockerConfig(); got != before {
		t.Errorf("the configuration is %s, and was %s", got, before)
	}
}

// TestDockerContextAfterSIGKILL: what was the current context is not forgotten,
// also by another process that runs the App's controller from then on.
func TestDockerContextAfterSIGKILL(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	before := h.uses("missing")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.kill()
	h.current(h.context())
	h.ok("service", "start")
	h.ok("start")
	h.current(h.context())
	h.contextIs(true)
	h.kill()
	h.ok("service", "start")
	h.ok("stop")
	if got := h.readDockerConfig(); got != before {
		t.Errorf("the configuration is %s, and was %s", got, before)
	}

	h.ok("start")
	h.kill()
	h.ok("service", "start", "--controllers", "*,-app")
	controller := h.spawn("app-controller")
	h.runs("app", "app")
	h.current(h.context())
	h.ok("stop")
	if got := h.readDockerConfig(); got != before {
		t.Errorf("after another process, the configuration is %s, and was %s", got, before)
	}
	if code := controller.interrupt(); code != 0 {
		t.Errorf("app-controller ended with %d", code)
	}

	// Where there is no App any more, there is to be no context.
	h.ok("service", "stop")
	h.ok("service", "start")
	h.ok("start")
	h.kill()
	h.ok("service", "reset", "--yes")
	h.ok("service", "start")
	h.eventually("the context of the App that is gone is taken back", func() (bool, string) {
		got := h.readDockerConfig()
		return got == before, got
	})

	// An instance that is deleted without a daemon gives it back as well.
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.current(h.context())
	h.kill()
	h.ok("service", "delete")
	if got := h.readDockerConfig(); got != before {
		t.Errorf("after the instance, the configuration is %s, and was %s", got, before)
	}
}

// TestStopDuringContextCheck: nothing comes back from a check that was under way
// at a stop, and neither a start nor a stop waits for it.
func TestStopDuringContextCheck(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	silent, err := net.Listen("unix", filepath.Join(h.dir, "silent.sock")) // it takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	h.dockerSays("context", "create", "silent", "--docker", "host=unix://"+filepath.Join(h.dir, "silent.sock"))
	before := h.uses("silent")
	h.ok("set", "running=false", "containerEngine.endpoint="+engine.Endpoint())
	for range 3 {
		h.ok("set", "--wait=false", "running=true")
		conn, err := silent.Accept() // the check is under way
		if err != nil {
			t.Fatal(err)
		}
		h.ok("stop")
		h.contextIs(false)
		_ = conn.Close()
	}
	h.ok("start")
	h.ok("service", "stop") // the daemon ends in the middle of a check
	h.ok("service", "start")
	h.ok("stop")
	if got := h.readDockerConfig(); got != before {
		t.Errorf("the configuration is %s, and was %s", got, before)
	}
}

// TestDockerConfigOfOthers: of what another program goes on writing into the
// client's configuration nothing is lost.
func TestDockerConfigOfOthers(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	h.uses("missing")
	h.ok("set", "running=false", "containerEngine.endpoint="+engine.Endpoint())

	stop := make(chan struct{})
	var writing sync.WaitGroup
	logins := 0
	writing.Go(func() { // as `docker login` does: read all, change something, write all
		for {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
			}
			config := map[string]any{}
			if err := json.Unmarshal([]byte(h.readDockerConfig()), &config); err != nil {
				t.Error(err)
				return
			}
			if n := len(config["auths"].(map[string]any)); n != logins+1 {
				t.Errorf("%d logins, and %d are there", logins, n-1)
				return
			}
			logins++
			config["auths"].(map[string]any)["registry"+strconv.Itoa(logins)] = map[string]any{}
			data, err := json.Marshal(config)
			if err == nil {
				err = atomicfile.WriteVolatile(h.dockerConfig(), data, 0o600)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		h.ok("start")
		h.ok("stop")
	}
	close(stop)
	writing.Wait()
	var config struct {
		Auths map[string]any
		Ours  []float64
	}
	if err := json.Unmarshal([]byte(h.readDockerConfig()), &config); err != nil || len(config.Auths) != logins+1 || len(config.Ours) != 2 {
		t.Errorf("after %d logins %d are there: %v", logins, len(config.Auths)-1, err)
	}
	t.Logf("%d logins", logins)
}

// TestDockerContextsOfTwoInstances: the later takes nothing from the first while
// that is healthy.
func TestDockerContextsOfTwoInstances(t *testing.T) {
	t.Parallel()
	first := newHome(t)
	second := newHome(t, "DOCKER_CONFIG="+filepath.Dir(first.dockerConfig()))
	engines := []*fakedocker.Server{fakedocker.Run(t, fakedocker.Config{}), fakedocker.Run(t, fakedocker.Config{})}
	before := first.uses("missing")
	first.ok("set", "running=true", "containerEngine.endpoint="+engines[0].Endpoint())
	first.current(first.context())
	second.ok("set", "running=true", "containerEngine.endpoint="+engines[1].Endpoint())
	first.current(first.context())
	want := []string{"default", first.context(), second.context()}
	slices.Sort(want)
	if names := first.dockerSays("context", "ls", "-q"); names != strings.Join(want, "\n") {
		t.Errorf("the contexts are %q", names)
	}
	second.ok("stop")
	first.current(first.context())
	engines[0].Close()
	second.ok("start")
	first.current(second.context())
	first.ok("stop")
	first.current(second.context())
	second.ok("stop")
	first.current("default") // that of the first, to which it would go back, is gone
	if got := first.readDockerConfig(); strings.Contains(got, "rancher-desktop") || len(got) >= len(before) {
		t.Errorf("the configuration is %s, and was %s", got, before)
	}
}
