// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// answers runs rdd on a terminal, gives the answer when it is asked, and returns the
// exit code and what was shown. It must show all the words before it asks.
func (h *home) answers(answer string, words []string, args ...string) (code int, shown string) {
	h.t.Helper()
	p, keys := h.onTerminal(args...)
	p.prints("[y/N] ")
	contains(h.t, strings.ReplaceAll(p.stdout.String(), "\r\n", "\n"), words...)
	if _, err := io.WriteString(keys, answer); err != nil {
		h.t.Fatal(err)
	}
	return p.wait(patience), p.stdout.String()
}

// refuses checks that a command asks, that each answer but yes changes nothing, and
// that without a terminal it names --yes.
func (h *home) refuses(unchanged func() string, words []string, args ...string) {
	h.t.Helper()
	before := unchanged()
	for name, answer := range map[string]string{"n": "n\n", "nothing": "\n", "another word": "yesterday\n", "the end": "\x04", "Ctrl-C": ctrlC} {
		code, shown := h.answers(answer, words, args...)
		if code != 1 || !strings.Contains(shown, "Nothing was removed.") {
			h.t.Errorf("%q, answered with %s: exit code %d: %q", args, name, code, shown)
		}
		if after := unchanged(); after != before {
			h.t.Fatalf("%q, answered with %s, changed something:\n%s\nand then\n%s", args, name, before, after)
		}
	}
	h.fails(2, append([]string{"--yes", "no terminal"}, words...), args...)
	if after := unchanged(); after != before {
		h.t.Fatalf("%q without a terminal changed something:\n%s\nand then\n%s", args, before, after)
	}
}

// listing returns the names of all files below the home directory, and their modes.
func (h *home) listing() string {
	h.t.Helper()
	var text strings.Builder
	for _, path := range h.files() {
		info, err := os.Lstat(filepath.Join(h.dir, path))
		if err != nil {
			h.t.Fatal(err)
		}
		text.WriteString(path + " " + info.Mode().String() + "\n")
	}
	return text.String()
}

// TestAskBeforeTheMachineGoes: what removes the disk of a virtual machine says so, and
// asks; whether the daemon runs or not, and it starts none to ask.
func TestAskBeforeTheMachineGoes(t *testing.T) {
	t.Parallel()
	v := newVMHome(t)
	v.ok("start")
	lima := func() string {
		files, err := filepath.Glob(filepath.Join(v.limaHome, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(files, "\n")
	}
	machine := []string{"the virtual machine rd with its disk of 100GiB (", " used)"}
	with := append([]string{"3 containers"}, machine...)
	v.refuses(lima, append([]string{"`rdd delete`", "the App with its settings"}, with...), "delete")
	v.refuses(lima, append([]string{"`rdd reset`"}, with...), "reset")
	v.refuses(lima, append([]string{"`rdd service delete`"}, with...), "service", "delete")
	v.refuses(lima, append([]string{"`rdd service delete`"}, with...), "svc", "delete")
	v.refuses(lima, []string{"`rdd service reset`", "the App with its settings"}, "service", "reset")
	v.asked("delete", 0)

	v.ok("stop")
	v.ok("service", "stop")
	stopped := func() string {
		if v.alive() {
			t.Error("a daemon was started to ask")
		}
		return lima()
	}
	uncounted := append([]string{"an unknown number of containers"}, machine...)
	v.refuses(stopped, append([]string{"the App with its settings"}, uncounted...), "delete")
	v.refuses(stopped, uncounted, "reset")
	v.refuses(stopped, uncounted, "service", "delete")
	v.refuses(stopped, []string{"the App with its settings"}, "service", "reset")

	if code, shown := v.answers("y\n", machine, "reset"); code != 0 || v.count("delete") != 1 {
		t.Errorf("exit code %d, %d deletions: %q", code, v.count("delete"), shown)
	}
	if code, shown := v.answers("YES\n", machine, "delete"); code != 0 || v.count("delete") != 2 {
		t.Errorf("exit code %d, %d deletions: %q", code, v.count("delete"), shown)
	}
	v.succeeds([]string{"There is no App"}, "delete") // nothing to lose, nothing asked
	v.succeeds([]string{"There is no App"}, "reset")
	v.ok("start")
	v.ok("service", "delete", "--yes")
	if files := lima(); files != "" {
		t.Errorf("left: %s", files)
	}
}

// TestAskBeforeAMachineOfTheUsersGoes: `limavm delete` names each, with its disk.
func TestAskBeforeAMachineOfTheUsersGoes(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	stage.Set(t, limaHome, stage.Faults{})
	h.succeeds([]string{"does not exist"}, "limavm", "delete", "web", "--instance", "typo")
	file := h.write("lima.yaml", limaTemplate+"disk: 7GiB\n", 0o600)
	h.ok("limavm", "create", "web", "--template", file)
	h.ok("limavm", "create", "db", "--template", file, "--start=false")
	disks := func() string {
		files, err := filepath.Glob(filepath.Join(limaHome, "*", "lima.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(files, " ")
	}
	words := []string{"the virtual machine web with its disk of 7GiB (", "the virtual machine db with"}
	for _, alias := range []string{"limavm", "vm"} {
		h.refuses(disks, words, alias, "delete", "web", "db")
	}
	h.refuses(disks, append([]string{"`rdd service reset`"}, "2 objects that a user created: 2 limavms"), "service", "reset")
	h.fails(1, []string{`virtual machine "wbe" not found`, "available: db, web"}, "limavm", "delete", "wbe")
	h.ok("service", "stop")
	h.refuses(disks, words, "limavm", "delete", "web", "db")
	h.fails(1, []string{`virtual machine "wbe" not found`, "available: db, web"}, "limavm", "delete", "wbe")
	if h.alive() {
		t.Error("a daemon was started to ask")
	}
	if code, shown := h.answers("y\n", words[:1], "limavm", "delete", "web"); code != 0 || !strings.Contains(shown, "web is deleted") {
		t.Errorf("exit code %d: %q", code, shown)
	}
	h.succeeds([]string{"db is deleted"}, "limavm", "delete", "db", "-y")
}

// TestAskBeforeObjectsGo: with no virtual machine, what a user made is counted, and a
// script's `service delete` goes on.
func TestAskBeforeObjectsGo(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, args := range [][]string{{"delete"}, {"reset"}, {"service", "delete"}, {"service", "reset"}} {
		p, _ := h.onTerminal(args...) // no instance
		if code := p.wait(patience); code != 0 || strings.Contains(p.stdout.String(), "[y/N]") {
			t.Errorf("%q: exit code %d: %q", args, code, p.stdout)
		}
	}
	if files := h.files(); len(files) != 0 {
		t.Errorf("files: %v", files)
	}
	h.ok("service", "start")
	nothing := func() {
		t.Helper()
		for _, args := range [][]string{{"delete"}, {"reset"}, {"service", "reset"}} {
			p, _ := h.onTerminal(args...)
			if code := p.wait(patience); code != 0 || strings.Contains(p.stdout.String(), "[y/N]") {
				t.Errorf("%q: exit code %d: %q", args, code, p.stdout)
			}
			h.ok(args...)
		}
	}
	nothing()
	h.ok("service", "stop")
	nothing()
	h.ok("service", "start")
	h.ok("ctl", "create", "configmap", "mine", "-n", "default")
	h.ok("ctl", "create", "secret", "generic", "mine", "-n", "default", "--from-literal=a=b")
	h.ok("ctl", "create", "namespace", "mine")
	words := []string{"3 objects that a user created: 1 configmap, 1 namespace, 1 secret"}
	kept := func() string { return h.ok("ctl", "get", "configmap,secret,namespace", "-A", "-o", "name") }
	h.refuses(kept, words, "service", "reset")
	if code, _ := h.answers("n\n", words, "service", "delete"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	h.ok("service", "stop")
	h.refuses(h.listing, words, "service", "reset")
	h.kill() // which leaves a log of the store behind
	h.ok("service", "start")
	engine, _ := startEngine(t, 2)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	h.refuses(func() string { return h.ok("ctl", "get", "app,containers", "-A", "-o", "name") },
		[]string{"the App with its settings", "engine at " + engine.Endpoint() + " is kept"}, "delete")
	h.succeeds([]string{"There is no virtual machine to reset"}, "reset")
	h.kill()
	h.fails(2, []string{"the App with its settings", "3 objects"}, "service", "reset")
	h.fails(2, []string{"use --yes"}, "service", "delete", "--yes=false")
	h.succeeds([]string{"Deleted instance"}, "service", "delete")
}
