// SPDX-License-Identifier: Apache-2.0

//go:build unix

package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func program(t *testing.T, path, says string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+says+" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func says(t *testing.T, path, want string) {
	t.Helper()
	out, err := exec.Command(path, "x").Output()
	if err != nil || string(out) != want+" x\n" {
		t.Errorf("%s: %v: %q, want %q", path, err, out, want)
	}
}

// TestLinks: links follow rdd and the tools, and leave alone what the user put there.
func TestLinks(t *testing.T) {
	root := t.TempDir()
	at := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	c := Config{Dir: at("bin"), Executable: program(t, at("v1", "rdd"), "rdd1"), Path: at("bin") + ":" + at("path"), Plugins: []string{at("plugins")}}
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	docker := program(t, at("path", "docker"), "docker")
	program(t, at("plugins", "docker-compose"), "compose")
	program(t, at("plugins", "helm"), "not a plug-in")
	own := program(t, at("own", "nerdctl"), "own")
	if err := os.Symlink(own, at("bin", "nerdctl")); err != nil {
		t.Fatal(err)
	}
	program(t, at("path", "nerdctl"), "other")
	link := func() {
		t.Helper()
		if err := c.Link(); err != nil {
			t.Fatal(err)
		}
	}
	link()
	says(t, at("bin", "rdd"), "rdd1")
	says(t, at("bin", "kubectl"), "rdd1")
	says(t, at("bin", "docker"), "docker")
	says(t, at("bin", "docker-compose"), "compose")
	says(t, at("bin", "nerdctl"), "own")
	if _, err := os.Lstat(at("bin", "helm")); err == nil {
		t.Error("a program among the plug-ins that is none was linked")
	}
	// Another rdd, a tool that is gone, one that came, one beside rdd, and a program of
	// the user's own.
	c.Executable = program(t, at("v2", "rdd"), "rdd2")
	program(t, at("v2", "helm"), "helm")
	if err := os.Remove(docker); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(at("bin", "kubectl")); err != nil {
		t.Fatal(err)
	}
	program(t, at("bin", "kubectl"), "mine")
	link()
	says(t, at("bin", "rdd"), "rdd2")
	says(t, at("bin", "kubectl"), "mine")
	says(t, at("bin", "helm"), "helm")
	if _, err := os.Lstat(at("bin", "docker")); err == nil {
		t.Error("the link to a tool that is gone stays")
	}
}

// TestShim: where no link can be made, a program calls the target, and is replaced later.
func TestShim(t *testing.T) {
	root := t.TempDir()
	target := program(t, filepath.Join(root, "it's here", "rdd"), "rdd")
	for name, want := range map[string]string{"rdd": "rdd", "kubectl": "rdd kubectl"} {
		path := filepath.Join(root, name)
		if err := writeShim(target, path, name); err != nil {
			t.Fatal(err)
		}
		says(t, path, want)
		if !isShim(path) || isShim(target) {
			t.Errorf("%s: a shim is not known", name)
		}
		if err := (Config{Dir: root, Executable: target}).ours(name); err != nil {
			t.Fatal(err)
		}
		says(t, path, "rdd")
	}
}
