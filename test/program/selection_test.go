// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSelections: each form of a selection, and what runs then.
func TestSelections(t *testing.T) {
	t.Parallel()
	kinds := []string{"container", "image", "volume", "network", "containernamespace"}
	all := append(slices.Clone(kinds), "engine", "app", "demo", "limavm", "hostinfo")
	withoutApp := append(slices.Clone(all[:6]), "limavm", "hostinfo")
	h := newHome(t)
	for selection, want := range map[string][]string{
		"*":                    all,
		"containers":           all[:6],
		"containers,-engine":   kinds,
		"*,-app":               withoutApp, // a group's name, though a controller has it too
		"app":                  {"app", "demo"},
		"app,-demo":            {"app"},
		"-containers,*,-app":   withoutApp,
		" demo , containers ":  append(slices.Clone(all[:6]), "demo"),
		"lima":                 {"limavm"},
		"rdd":                  {"hostinfo"},
		"":                     nil,
		"container,-container": nil,
	} {
		h.ok("service", "start", "--controllers", selection)
		got := h.entries()["embedded"].EnabledControllers
		if !slices.Equal(got, want) {
			t.Errorf("%q runs %v, want %v", selection, got, want)
		}
		h.ok("service", "stop")
	}
}

// TestRefusedSelections: an invalid selection is a usage error that names
// what can, before anything is made.
func TestRefusedSelections(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	before := h.files()
	for selection, words := range map[string][]string{
		"unknown":           {`"unknown"`, "containers (container, image, volume, network, containernamespace, engine)", "app (app, demo)"},
		"containers,-imag":  {`"imag"`},
		"*,,-":              {`unknown`},
		"engine":            {`"engine" depends on "container": add it`},
		"containers,-image": {`"engine" depends on "image"`, "-engine"},
	} {
		for _, command := range []string{"create", "start", "serve"} {
			h.fails(2, append(words, "--controllers"), "service", command, "--controllers", selection)
		}
	}
	if after := h.files(); !slices.Equal(before, after) {
		t.Errorf("a refused selection has made files: %v", after)
	}
}

// TestHelpNamesControllers: the help of every command that takes a selection
// names all groups and controllers that there are.
func TestHelpNamesControllers(t *testing.T) {
	t.Parallel()
	h := newHome(t, "RDD_DEVELOPER_MODE=1")
	h.ok("service", "start")
	running := h.entries()["embedded"].EnabledControllers
	for _, command := range []string{"create", "start", "serve"} {
		help := h.ok("service", command, "--help")
		for _, name := range append(running, "containers", "app") {
			if !strings.Contains(strings.Join(strings.Fields(help), " "), name) {
				t.Errorf("the help of service %s does not name %s:\n%s", command, name, help)
			}
		}
	}
	help := h.runProgram(filepath.Join(programs, "containers-controller"), "--help").stdout
	for _, name := range []string{"containers", "container", "engine", "--no-wait", "--kubeconfig"} {
		if !strings.Contains(help, name) {
			t.Errorf("the help of containers-controller does not name %s:\n%s", name, help)
		}
	}
	hidden := newHome(t).ok("service", "start", "--help")
	if strings.Contains(hidden, "--controllers") {
		t.Errorf("the help shows users what is for developers:\n%s", hidden)
	}
}

// TestSystemNamespace: who runs which controller can't be deleted in one go.
func TestSystemNamespace(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "rdd")
	h.fails(3, []string{"may not be deleted"}, "ctl", "delete", "namespace", "rdd-system")
	h.ok("ctl", "get", "configmap", "rdd-controller-manager", "-n", "rdd-system")
}
