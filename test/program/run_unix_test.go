// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// write makes a file in the home directory.
func (h *home) write(name, text string, mode os.FileMode) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// TestRun: a command runs for the instance's engine as if rdd were not there.
func TestRun(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 3)
	// Nothing is started for a command that there is not.
	h.fails(127, []string{"nothing-like-it"}, "run", "nothing-like-it")
	h.fails(126, []string{"permission denied"}, "run", h.write("plain", "", 0o600))
	h.fails(2, []string{"requires a command"}, "run")
	if h.alive() {
		t.Fatal("a daemon runs")
	}
	h.env = append(h.env, "DOCKER_HOST="+engine.Endpoint(), "DOCKER_TLS_VERIFY=1")
	if r := h.succeeds([]string{"(DOCKER_HOST)", "Settled"}, "run", "docker", "ps", "--quiet"); len(strings.Fields(r.stdout)) != 3 {
		t.Errorf("docker ps prints %q", r.stdout)
	}
	h.env = append(h.env, "DOCKER_HOST=tcp://127.0.0.1:1", "DOCKER_CONTEXT=elsewhere")
	if r := h.run("run", "docker", "ps", "--quiet"); len(strings.Fields(r.stdout)) != 3 || r.code != 0 || r.stderr != "" {
		t.Errorf("docker ps with all variables: %+v", r)
	}
	for _, code := range []int{0, 3, 255} {
		if r := h.run("run", "sh", "-c", `exit "$1"`, "sh", strconv.Itoa(code)); r.code != code {
			t.Errorf("exit code %d, want %d", r.code, code)
		}
	}
	if got := h.ok("run", "printf", "%s,", "--help", "-x", "--", "a b"); got != "--help,-x,--,a b," {
		t.Errorf("the arguments are %q", got)
	}
	bin := filepath.Join(h.path("short_dir"), "bin")
	h.write(".rd"+h.name+"/bin/tool", "#!/bin/sh\necho mine \"$0\"\n", 0o700)
	if got, want := h.ok("run", "tool"), "mine "+filepath.Join(bin, "tool")+"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	path, _, _ := strings.Cut(h.ok("run", "sh", "-c", "echo $PATH"), ":")
	if path != bin {
		t.Errorf("PATH begins with %s, want %s", path, bin)
	}
	cat := h.command(t.Context(), filepath.Join(programs, "rdd"), "run", "cat")
	cat.Stdin = strings.NewReader("there and back")
	if output, err := cat.Output(); err != nil || string(output) != "there and back" {
		t.Errorf("%q, %v", output, err)
	}
	// The process is the command's own: signals need no passing on.
	script := h.spawn("rdd", "run", "sh", "-c", `trap 'echo caught; exit 7' INT; echo "pid $$"; while :; do sleep 0.1; done`)
	script.prints("pid ")
	if code := script.interrupt(); code != 7 || strings.Count(script.stdout.String(), "caught") != 1 {
		t.Errorf("exit code %d: %s", code, script.stdout)
	}
	h.ok("stop")
	h.ok("run", "true")
	if !h.app().Spec.Running {
		t.Error("what was stopped is not started")
	}
}
