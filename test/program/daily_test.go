// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAnswers: a word that is no command gets one line with the right command, and makes
// nothing.
func TestAnswers(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for line, want := range map[string]string{
		"ssh":              `Error: unknown command "ssh": did you mean ` + "`rdd shell`?\n",
		"apply -f x":       `Error: unknown command "apply": did you mean ` + "`rdd ctl apply -f x`?\n",
		"stop web":         `Error: unexpected argument "web": did you mean ` + "`rdd container stop web` or `rdd limavm stop web`?\n",
		"run -it x":        `Error: unknown shorthand flag: 'i' in -it: did you mean ` + "`rdd docker run -it x`?\n",
		"--instance a ssh": `Error: unknown command "ssh": did you mean ` + "`rdd --instance a shell`?\n",
	} {
		if r := h.run(strings.Fields(line)...); r.code != 2 || r.stderr != want || r.stdout != "" {
			t.Errorf("rdd %s: exit code %d, %q%q, want %q", line, r.code, r.stdout, r.stderr, want)
		}
	}
	h.fails(127, []string{"hello-world", "`rdd docker run hello-world`"}, "run", "hello-world")
	r := h.fails(1, []string{"no cluster", "~/.kube/config", "`rdd ctl get pods`"}, "kubectl", "get", "pods")
	if strings.Contains(r.stderr, "8080") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("rdd kubectl says %q", r.stderr)
	}
	h.ok("kubectl", "version", "--client")
	if got := h.ok("--version=raw"); strings.Contains(strings.TrimSpace(got), " ") || got == "" {
		t.Errorf("the raw version is %q", got)
	}
	contains(t, h.ok("version"), "Client", "Kubernetes", "not running")
	if files := h.files(); len(files) != 0 {
		t.Errorf("answers made files: %v", files)
	}
	h.env = append(h.env, "KUBECONFIG="+filepath.Join(h.dir, "config"))
	if err := os.WriteFile(filepath.Join(h.dir, "config"), []byte(`{"contexts":[{"name":"one","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{"token":"t"}}],"clusters":[{"name":"c","cluster":{"server":"https://127.0.0.1:1"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.fails(1, []string{"no current context", "one", "--context"}, "kubectl", "get", "pods")
	h.fails(1, []string{"127.0.0.1:1"}, "kubectl", "get", "pods", "--context", "one")
	h.fails(1, []string{"127.0.0.1:2"}, "kubectl", "get", "pods", "--server", "http://127.0.0.1:2")
}

// TestMessagesAreJSON: with --log-format json each line on standard error is JSON, and the
// last one of a failure has the exit code.
func TestMessagesAreJSON(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("--log-level", "trace", "service", "create")
	for line, code := range map[string]int{
		"frobnicate": 2, "ps --bogus": 2, "set x": 1, "set a=b": 1, "service start": 0, "ctl get ns nothing": 1, "ctl wait-condition app/app Settled --timeout 10ms": 4,
		"ctl frobnicate": 2, "start --endpoint unix:///nowhere --timeout 100ms": 4, "run nothing-of-that-name": 127, "logs nothing": 1, "service stop": 0, "delete": 2,
	} {
		r := h.run(append([]string{"--log-format=json"}, strings.Fields(line)...)...)
		var last map[string]any
		for text := range strings.Lines(r.stderr) {
			last = nil
			if err := json.Unmarshal([]byte(text), &last); err != nil || last["level"] == nil || last["msg"] == nil {
				t.Errorf("rdd %s: %v: %s", line, err, text)
			}
		}
		want := any(float64(r.code))
		if code == 0 {
			want = nil
		}
		if r.code != code && line != "delete" || last["exit-code"] != want && r.code != 0 {
			t.Errorf("rdd %s: exit code %d, want %d: %s", line, r.code, code, r.stderr)
		}
	}
	h.ok("service", "stop") // it may have been started with JSON
	h.ok("service", "start")
	if log := h.log(); !strings.Contains(log, "level=TRACE") {
		t.Errorf("the level that create was given is not kept:\n%.2000s", log)
	}
	h.fails(2, []string{"trace, debug, info, warn, error or fatal"}, "--log-level", "loud", "ps")
	h.ok("--log-level", "fatal", "list")
}

// TestSettings: start sets and starts in one write; get tells what is set.
func TestSettings(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	h.succeeds([]string{"settings of the virtual machine are saved"}, "start", "--cpus", "1", "--memory", "1", "--mount", "/tmp:w", "--endpoint", engine.Endpoint())
	if got := h.ok("ctl", "get", "app", "app", "-o", "jsonpath={.metadata.generation} {.spec.virtualMachine.cpus} {.spec.virtualMachine.memory} {.spec.virtualMachine.mounts}"); got != `1 1 1Gi [{"location":"/tmp","writable":true}]` {
		t.Errorf("the App has %s", got)
	}
	var settings []struct {
		Name, Source   string
		Value, Default any
	}
	if err := json.Unmarshal([]byte(h.ok("get", "-o", "json")), &settings); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range settings {
		got[s.Name] = s.Source
	}
	for name, want := range map[string]string{
		"virtualMachine.cpus": "set", "virtualMachine.memory": "set", "virtualMachine.disk": "default", "virtualMachine.mounts": "set", "virtualMachine.image": "default",
		"containerEngine.endpoint": "set", "containerEngine.name": "default", "running": "set", "application.updates.url": "default",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	h.ok("set", "virtualMachine.memory=", "--wait=false")
	contains(t, h.ok("get", "virtualMachine.memory"), "default")
	h.fails(1, []string{"unknown property", "virtualMachine.cpus"}, "get", "nothing")
	h.fails(3, []string{"512Mi"}, "start", "--memory", "0.1")
	h.fails(2, []string{"--mount"}, "start", "--mount", ":w")
	contains(t, h.ok("env", "--shell", "bash"), "export DOCKER_HOST='"+engine.Endpoint()+"'", "export KUBECONFIG='"+h.path("config")+"'")
	h.fails(2, []string{"bash, fish"}, "env", "--shell", "tcsh")
	contains(t, h.ok("list"), h.name, "running", "moby")
	contains(t, h.ok("version"), "Engine", "moby", "process")
	h.testPrograms()
	h.ok("service", "stop")
	contains(t, h.ok("env"), "export DOCKER_HOST='"+engine.Endpoint()+"'")
	contains(t, h.ok("list", "-o", "json"), `"state": "stopped"`)
	if h.alive() {
		t.Error("a daemon was started")
	}
}

// testPrograms looks at the links that the daemon made.
func (h *home) testPrograms() {
	h.t.Helper()
	for name, args := range map[string][]string{"rdd": {"--version=raw"}, "kubectl": {"version", "--client"}} {
		if r := h.runProgram(filepath.Join(h.path("short_dir"), "bin", name), args...); r.code != 0 {
			h.t.Errorf("%s: %s", name, r.stderr)
		}
	}
	// Called as kubectl it is plain kubectl.
	if r := h.runProgram(filepath.Join(h.path("short_dir"), "bin", "kubectl"), "get", "pods"); !strings.Contains(r.stderr, "8080") {
		h.t.Errorf("kubectl says %s", r.stderr)
	}
}

// TestDiagnoseHasNoSecrets: nothing of what was planted is in the report.
func TestDiagnoseHasNoSecrets(t *testing.T) {
	t.Parallel()
	h := newHome(t, "MY_TOKEN=planted-in-the-environment")
	engine, _ := startEngine(t, 3)
	h.ok("start", "--endpoint", engine.Endpoint())
	h.ok("ctl", "create", "secret", "generic", "s", "--from-literal=a=planted-secret")
	h.ok("ctl", "create", "namespace", "marked")
	h.ok("ctl", "annotate", "namespace", "marked", "note=planted-annotation")
	log, err := os.OpenFile(h.instance().StderrLog(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"connect to postgres://user:planted-password@host/x", "Authorization: Bearer planted-bearer-token", `{"password":"planted-json"}`,
		"planted-secret was used", "planted-in-the-environment", "--api-key planted-flag", "-----BEGIN PRIVATE KEY-----\nplanted-key",
	} {
		_, _ = fmt.Fprintln(log, line)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	secrets := []string{"planted"}
	tokens, _ := filepath.Glob(filepath.Join(h.path("tls_dir"), "*"))
	for _, path := range append(tokens, h.path("config")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if path == h.path("config") && !strings.Contains(line, "token:") {
				continue
			}
			line = strings.TrimPrefix(strings.TrimSpace(line), "token: ")
			if len(line) > 20 && !strings.HasPrefix(line, "-----") {
				secrets = append(secrets, line)
			}
		}
	}
	if len(secrets) < 5 {
		t.Fatalf("only %d secrets are known", len(secrets))
	}
	r := h.succeeds([]string{"report.zip"}, "diagnose", "--output", filepath.Join(h.dir, "report.zip"))
	contains(t, r.stdout, "objects/container.yaml", "logs/rdd.stderr.log", "status.txt", "CONTENTS.txt")
	if info, err := os.Stat(filepath.Join(h.dir, "report.zip")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	archive, err := zip.OpenReader(filepath.Join(h.dir, "report.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	for _, file := range archive.File {
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds %q", file.Name, secret)
			}
		}
	}
}

// TestUninstall: everything goes, of all instances, and only after a yes.
func TestUninstall(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	h.ok("service", "start")
	h.ok("--instance", "other", "service", "create")
	contains(t, h.succeeds([]string{"default.target.wants"}, "service", "enable").stderr, "rdd@"+h.name+".service")
	contains(t, h.ok("service", "status"), "Enabled", "at login")
	dry := h.ok("uninstall", "--dry-run")
	contains(t, dry, "instance other: ", "instance "+h.name+": ", ".config/systemd/user", h.path("log_dir"))
	h.fails(2, []string{"--yes"}, "uninstall")
	if !h.alive() {
		t.Fatal("a refused uninstall has stopped the daemon")
	}
	h.succeeds([]string{"Instance other", "Instance " + h.name, "is kept: uninstall it"}, "uninstall", "--yes")
	for _, file := range h.files() {
		if info, err := os.Lstat(filepath.Join(h.dir, file)); err != nil || !info.IsDir() {
			t.Errorf("%s is left", file)
		}
	}
	h.succeeds([]string{"no files on this machine"}, "uninstall")
	h.succeeds([]string{"is not enabled"}, "service", "disable")
}

// TestUpgradeCheck: the feed that the App names is read, and only if updates are enabled.
func TestUpgradeCheck(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	var requests atomic.Int32
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, `{"version":"99.0.0","url":"https://example.com/rdd"}`)
	}))
	defer feed.Close()
	h.fails(2, []string{"--check"}, "upgrade")
	h.succeeds([]string{"No release feed"}, "upgrade", "--check")
	h.fails(3, []string{"must be empty, or begin with https://"}, "set", "application.updates.url=ftp://x")
	h.ok("set", "application.updates.url="+feed.URL, "application.updates.enabled=false", "--wait=false")
	h.succeeds([]string{"application.updates.enabled is false"}, "upgrade", "--check")
	if requests.Load() != 0 {
		t.Error("the feed was read though updates are disabled")
	}
	h.ok("set", "application.updates.enabled=true", "--wait=false")
	h.succeeds([]string{"rdd 99.0.0 is available: https://example.com/rdd"}, "upgrade", "--check")
	contains(t, h.ok("upgrade", "--check", "-o", "json"), `"newer": true`, `"newest": "99.0.0"`)
}
