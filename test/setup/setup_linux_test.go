// SPDX-License-Identifier: Apache-2.0

// Package setup_test runs hack/setup where a program is missing.
package setup_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

const nobodyID = 65534

// machine is a PATH with some of the machine's programs, and a copy of hack/setup
// that every user may read.
type machine struct {
	t         *testing.T
	bin, hack string
}

func newMachine(t *testing.T, without ...string) machine {
	t.Helper()
	realengine.NotShort(t)
	m := machine{t: t, bin: t.TempDir(), hack: t.TempDir()}
	for _, dir := range []string{m.bin, m.hack, filepath.Dir(m.bin)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../hack/setup")
	if err == nil {
		err = os.WriteFile(filepath.Join(m.hack, "setup"), script, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range strings.Fields(`apt-cache apt-get conmon containerd containerd-shim-runc-v2 dirname docker dpkg gcc git go
		grep head id make node npm podman pwd python3 runc sh ssh ssh-keygen sudo systemd-analyze`) {
		if slices.Contains(without, program) {
			continue
		}
		path, err := exec.LookPath(program)
		if err != nil {
			continue // such as sudo
		}
		if err := os.Symlink(path, filepath.Join(m.bin, program)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// run runs hack/setup as a user, without a terminal, and returns what it says.
func (m machine) run(user uint32, args ...string) (string, error) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(m.hack, "setup"), args...)
	cmd.Env = []string{"PATH=" + m.bin}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAllIsThere(t *testing.T) {
	if out, err := newMachine(t).run(0, "test"); err != nil || out != "" {
		t.Errorf("error %v: %s", err, out)
	}
}

func TestWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name    string
		without []string
		user    uint32
		target  string
		says    string
	}{
		{"no apt", []string{"apt-get", "podman", "node"}, 0, "test", "no apt to install them with: node podman\n"},
		{"no apt, of less", []string{"apt-get", "podman", "node"}, 0, "examples", "no apt to install them with: node\n"},
		{"no root, no sudo", []string{"sudo", "podman", "ssh"}, nobodyID, "test", "setup install podman openssh-client'\n"},
		{"nothing missing, no root", []string{"sudo"}, nobodyID, "test", `sudo -H env "PATH=$PATH" make test`},
		{"no Go", []string{"go"}, 0, "test", "go is missing"},
		{"another target", nil, 0, "tests", "which?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := newMachine(t, c.without...).run(c.user, c.target)
			if err == nil || !strings.Contains(out, c.says) {
				t.Errorf("error %v; it says %q, want %q", err, out, c.says)
			}
		})
	}
}
