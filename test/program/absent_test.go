// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/cli"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// bytesOf returns all that is in the home directory: names, modes, times and bytes.
func (h *home) bytesOf() string {
	h.t.Helper()
	var text strings.Builder
	for _, path := range append([]string{"/"}, h.files()...) {
		full := filepath.Join(h.dir, path)
		info, err := os.Lstat(full)
		if err != nil {
			h.t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s %s %d %s", path, info.Mode(), info.Size(), info.ModTime())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(full)
			if err != nil {
				h.t.Fatal(err)
			}
			fmt.Fprintf(&text, " %x", sha256.Sum256(data))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// onAbsent is what each command does about an instance that does not exist: its exit
// code, 1 for an error that lists those that there are, and its arguments.
var onAbsent = map[string]struct {
	code int
	args string
}{
	"completion": {0, "bash"}, "kubectl": {0, "version --client"}, "ctl": {1, "get ns"}, "list": {0, ""}, "uninstall": {0, "--dry-run"},
	"start": {makes, ""}, "set": {makes, ""}, "run": {makes, ""}, "docker": {makes, ""}, "nerdctl": {makes, ""}, "helm": {makes, ""},
	"version": {0, ""}, "upgrade": {0, "--check"}, "get": {1, ""}, "env": {1, ""}, "diagnose": {1, ""},
	"service enable": {1, ""}, "service disable": {0, ""},
	"ps": {1, ""}, "images": {1, ""}, "volumes": {1, ""}, "logs": {1, "x"}, "exec": {1, "x true"}, "shell": {1, "true"},
	"inspect": {1, "x"}, "restart": {1, "x"}, "pause": {1, "x"}, "unpause": {1, "x"}, "rm": {1, "x"}, "rmi": {1, "x"},
	"container ls": {1, ""}, "container inspect": {1, "x"}, "container start": {1, "x"}, "container stop": {1, "x"}, "container restart": {1, "x"},
	"container pause": {1, "x"}, "container unpause": {1, "x"}, "container rm": {1, "x"}, "container wait": {1, "x"},
	"image ls": {1, ""}, "image inspect": {1, "x"}, "image rm": {1, "x"}, "volume ls": {1, ""}, "volume inspect": {1, "x"}, "volume rm": {1, "x"},
	"status": {1, ""}, "stop": {0, ""}, "delete": {0, ""}, "reset": {0, ""},
	"limavm create": {1, "x --template /dev/null"}, "limavm start": {1, "x"}, "limavm stop": {1, "x"}, "limavm restart": {1, "x"},
	"limavm delete": {0, "x"}, "limavm list": {1, ""}, "limavm shell": {1, "x true"}, "limavm log": {1, "x"}, "limavm edit": {1, "x --cpus 1"},
	"service create": {makes, ""}, "service start": {makes, ""}, "service serve": {makes, ""},
	"service stop": {0, ""}, "service delete": {0, ""}, "service status": {0, ""}, "service config": {1, ""},
	"service log": {1, ""}, "service paths": {0, ""}, "service reset": {0, ""}, "service rotate": {1, ""},
}

// makes is the code of a command that makes the instance, which is tested elsewhere.
const makes = -1

// leaves returns the commands that do something, as a user types them.
func leaves(cmd *cobra.Command, above string) (paths []string) {
	for _, below := range cmd.Commands() {
		path := strings.TrimSpace(above + " " + below.Name())
		switch {
		case below.Name() == "help" || below.Hidden:
		case below.HasSubCommands():
			paths = append(paths, leaves(below, path)...)
		default:
			paths = append(paths, path)
		}
	}
	return paths
}

// TestAbsentInstance: a misspelt name makes no instance, whatever the command, and
// neither does a completion.
func TestAbsentInstance(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "create")
	h.ok("--instance", "other", "service", "create")
	before := h.bytesOf()
	unchanged := func(args []string) {
		t.Helper()
		if after := h.bytesOf(); after != before {
			t.Fatalf("%q changed files:\n%s\nand then\n%s", args, before, after)
		}
	}
	there := []string{`no instance "typo": the instances are other, ` + h.name, "create it with `rdd --instance typo start`"}
	for _, path := range leaves(cli.Commands(cli.Config{}), "") {
		want, known := onAbsent[path]
		if !known {
			t.Errorf("rdd %s: say what it does about an instance that does not exist", path)
			continue
		}
		args := append(strings.Fields(path+" "+want.args), "--instance", "typo")
		words := strings.Fields(path)
		for n := range words {
			h.run(append([]string{"__complete", "--instance", "typo"}, append(words[:n:n], "")...)...)
		}
		h.run(append([]string{"__complete", "--instance", "typo"}, append(words, "")...)...)
		h.run(append([]string{"__complete", "--instance", "typo"}, append(words, "--")...)...)
		unchanged(append([]string{"__complete"}, words...))
		if want.code == makes {
			continue
		}
		if strings.Contains(want.args, "true") || path == "kubectl" { // their flags are another program's
			args = append([]string{"--instance", "typo"}, strings.Fields(path+" "+want.args)...)
		}
		if want.code == 0 {
			if r := h.run(args...); r.code != 0 {
				t.Errorf("rdd %s: exit code %d\n%s", path, r.code, r.stderr)
			}
		} else {
			h.fails(want.code, there, args...)
		}
		unchanged(args)
	}
	// The name may come from the environment, and be the default's.
	unused := newHome(t)
	h = unused
	before = h.bytesOf()
	h.fails(1, []string{"no instance \"" + h.name + "\": no instance exists"}, "ps")
	h.fails(1, []string{"`rdd start`", `no instance "2"`}, "--instance", "2", "ps")
	h.fails(1, []string{"no instance"}, "ctl", "get", "ns")
	h.ok("ctl", "--help")
	unchanged(nil)
}

// TestDefaultInstance: other clients rely on it that these commands make the one of
// the default name.
func TestDefaultInstance(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"ctl", "get", "namespace", "default", "-o", "name"}, {"service", "config"}} {
		h := newHome(t, "RDD_INSTANCE=")
		h.name = instance.DefaultName
		h.fails(1, []string{"create it with `rdd start`"}, "images")
		h.ok(args...)
		if exists, err := h.instance().Exists(); err != nil || !exists {
			t.Errorf("%q: %v", args, err)
		}
		h.ok("service", "delete")
	}
}
