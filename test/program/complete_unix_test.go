// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// complete asks for completions of the last argument, as the scripts of the shells
// do, and returns them without their descriptions.
func (h *home) complete(args ...string) []string {
	h.t.Helper()
	r := h.run(append([]string{"__complete"}, args...)...)
	if strings.Contains(r.stderr, "rror") {
		h.t.Errorf("completing %q says %s", args, r.stderr)
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if !strings.HasPrefix(lines[len(lines)-1], ":") {
		h.t.Fatalf("completing %q ends with no directive: %s", args, r.stdout)
	}
	for i := range lines {
		lines[i], _, _ = strings.Cut(lines[i], "\t")
	}
	return lines[:len(lines)-1]
}

// completes checks that some completions are there, and others are not.
func (h *home) completes(with, without string, args ...string) {
	h.t.Helper()
	got := " " + strings.Join(h.complete(args...), " ") + " "
	for _, want := range strings.Fields(with) {
		if !strings.Contains(got, " "+want+" ") {
			h.t.Errorf("completing %q has no %s:%s", args, want, got)
		}
	}
	for _, other := range strings.Fields(without) {
		if strings.Contains(got, " "+other+" ") {
			h.t.Errorf("completing %q has %s:%s", args, other, got)
		}
	}
}

// TestComplete: completions have the existing names, and start nothing.
func TestComplete(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.completes("start stop set run delete reset service ctl kubectl completion", "", "")
	h.completes("running= virtualMachine.cpus=", "namespace=", "set", "")
	h.completes("virtualMachine.cpus=", "running=", "set", "running=true", "")
	h.completes("containerEngine.name=moby containerEngine.name=containerd", "running=", "set", "containerEngine.name=")
	h.completes("running=true running=false", "", "set", "running=")
	h.completes("json yaml", "", "ps", "--output", "")
	h.completes("debug warn", "", "--log-level", "")
	h.completes("docker_socket", "", "service", "paths", "")
	h.completes("bash zsh fish powershell", "", "completion", "")
	h.completes("sh", "", "run", "s")
	h.completes("get wait-condition", "", "ctl", "")
	h.completes("--output", "", "kubectl", "get", "--outp")
	h.completes("ctl", "", "ctl")
	for _, args := range [][]string{{"logs", ""}, {"exec", ""}, {"ps", "--engine", ""}, {"--instance", ""}, {"ctl", "get", ""}, {"ctl", "get", "app", ""}} {
		if got := h.complete(args...); len(got) != 0 {
			t.Errorf("completing %q without an instance: %v", args, got)
		}
	}
	if files := h.files(); len(files) != 0 {
		t.Errorf("completions made files: %v", files)
	}
	h.fails(2, []string{"bash, zsh, fish, powershell"}, "completion", "tcsh")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		contains(t, h.ok("completion", shell), "__complete")
	}
	checkScript(t, h, "bash")
	for _, args := range [][]string{{"set", ""}, {"ps", "-"}, {"set", "-"}, {"service", "start", "--"}} {
		shown := h.ok(append([]string{"__complete"}, args...)...)
		if !strings.Contains(shown, "\t") || strings.Contains(shown, "`") {
			t.Errorf("completing %q shows %s", args, shown)
		}
	}
}

// checkScript checks that a shell can read the script for it.
func checkScript(t *testing.T, h *home, shell string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell, "-n")
	cmd.Stdin = strings.NewReader(h.ok("completion", shell))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s can't read the script: %v %s", shell, err, out)
	}
}

// TestCompleteLive: names come from the daemon that runs, and one that hangs costs
// a second at most.
func TestCompleteLive(t *testing.T) {
	h := newHome(t)
	engine, _ := startEngine(t, 0)
	web := engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: "web", Running: true})[0]
	engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", NamePrefix: "ended"})
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	names := h.complete("logs", "")
	if len(names) != 2 {
		t.Fatalf("containers: %v", names)
	}
	ended, running := names[0], names[1]
	h.completes(running, ended, "exec", "")
	h.completes("", running+" "+ended, "exec", running, "")
	h.completes(web[:12], running, "logs", web[:3])
	h.completes("", running, "logs", "--engine", "another", "")
	h.completes("moby", "", "ps", "--engine", "")
	h.completes("rancher-desktop", "", "ps", "--namespace", "")
	h.completes(h.name, "", "--instance", "")
	h.completes("containers.containers.rancherdesktop.io", "", "ctl", "get", "cont")
	h.completes(web, "", "ctl", "get", "containers", "-n", namespace, "")
	h.completes("app", "", "--instance", h.name, "ctl", "get", "app", "")

	pid := h.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	for _, args := range [][]string{{"logs", ""}, {"set", ""}, {"ctl", "get", "app", ""}} {
		began := time.Now()
		h.complete(args...)
		// The program's own start counts, too, on a machine that has much to do.
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("completing %q took %s while the daemon hangs", args, took)
		}
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.ok("service", "stop")
	h.complete("logs", "")
	h.complete("ctl", "get", "app", "")
	if h.alive() {
		t.Error("a completion started the daemon")
	}
	for _, help := range [][]string{{"ctl", "--help"}, {"ctl", "get", "-h"}, {"ctl", "help", "get"}, {"ctl"}} {
		h.ok(help...)
	}
	if h.alive() {
		t.Error("kubectl's help started the daemon")
	}
}
