// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

const nobodyID = 65534

// newHomeOfNobody makes the home directory of a user without rights, who runs
// all commands in it.
func newHomeOfNobody(t *testing.T, env ...string) *home {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("commands are to be run by another user, which only root can do: run the tests as root")
	}
	h := newHome(t, env...)
	if err := os.Chown(h.dir, nobodyID, nobodyID); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	h.prepare = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
	}
	return h
}

// TestSocketNotPermitted: a real engine's socket, as Debian's Docker leaves it.
func TestSocketNotPermitted(t *testing.T) {
	t.Parallel()
	engine := dockerd.Start(t, dockerd.Config{})
	socket := strings.TrimPrefix(engine.Endpoint(), "unix://")
	group, err := user.LookupGroup("docker")
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{filepath.Dir(socket): 0o711, socket: 0o660} {
		if err := os.Chown(path, 0, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	h := newHomeOfNobody(t, "DOCKER_HOST="+engine.Endpoint())
	// Before an engine is chosen, with no instance and with one.
	denied := []string{"permission denied", "members of the group docker", "`sudo usermod -aG docker $USER`"}
	var status struct{ Diagnostics []finding }
	if err := json.Unmarshal([]byte(h.run("status", "-o", "json").stdout), &status); err != nil || len(status.Diagnostics) != 1 {
		t.Fatalf("%v: %+v", err, status)
	}
	contains(t, status.Diagnostics[0].Message+status.Diagnostics[0].Remedy, denied...)
	r := h.fails(1, append([]string{"no permission to use the engine at " + engine.Endpoint(), "log out and in again", "newgrp docker",
		"rootless", "rdd set running=true containerEngine.endpoint="}, denied...), "start")
	if advice := strings.Index(r.stderr, "usermod"); strings.Contains(r.stderr, "Install Lima") || advice > strings.Index(r.stderr, "engine of your own") {
		t.Errorf("the right advice is not the first:\n%s", r.stderr)
	}
	h.finds(denied, "socket-not-permitted of HostInfo /system")
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint(), "--wait=false")
	// That the engine does not answer is the consequence.
	h.finds([]string{"permission denied", "it is for members of the group docker", "`sudo usermod -aG docker $USER`", "log out and in again"},
		"socket-not-permitted of ContainerEngine rancher-desktop/moby")

	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	h.finds([]string{"`ls -l " + socket + "`"}, "socket-not-permitted of ContainerEngine rancher-desktop/moby")
	if err := os.Chmod(socket, 0o666); err != nil { // it is permitted
		t.Fatal(err)
	}
	h.finds(nil)
}

// TestNoKVM: the device may not be used.
func TestNoKVM(t *testing.T) {
	t.Parallel()
	if file, err := os.Stat("/dev/kvm"); err == nil && file.Mode()&0o006 != 0 {
		t.Skip("everybody may use /dev/kvm on this machine: the fault can't be made")
	}
	h := newHomeOfNobody(t)
	h.run("set", "running=true") // which can't settle
	h.eventually("there is no KVM", func() (bool, string) {
		for _, f := range h.findings() {
			if f.String() == "no-kvm of App /app" && strings.Contains(f.Message, "/dev/kvm") && strings.Contains(f.Remedy, "usermod -aG kvm") {
				return true, ""
			}
		}
		return false, fmt.Sprint(h.findings())
	})
	h.tells(1, corev1.EventTypeWarning, "NoKVM", "App/app")
	h.run("set", "containerEngine.endpoint=unix:///nowhere", "--wait=false") // now it is not wanted
	h.finds(nil, "engine-not-answering of ContainerEngine rancher-desktop/moby")
	h.tells(1, corev1.EventTypeNormal, "NoKVMResolved", "App/app")
}

// TestDiskNearlyFull: the file system of the instance fills up, and is emptied.
func TestDiskNearlyFull(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	mount(t, data, 0, "size=1100m")
	h := newHome(t, "XDG_DATA_HOME="+data)
	h.ok("service", "start")
	h.finds(nil)
	ballast := filepath.Join(data, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	err = syscall.Fallocate(int(file.Fd()), 0, 0, 128<<20)
	_ = file.Close()
	if err != nil {
		t.Fatal(err)
	}
	h.finds([]string{"of 1.1 GiB are free", data, "`docker system prune`"}, "disk-nearly-full of HostInfo /system")
	h.tells(1, corev1.EventTypeWarning, "DiskNearlyFull", "HostInfo/system")
	h.ok("service", "stop")
	h.finds(nil, "disk-nearly-full of HostInfo /system") // without a daemon, too
	h.ok("service", "start")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	h.finds(nil)
	h.tells(1, corev1.EventTypeNormal, "DiskNearlyFullResolved", "HostInfo/system")
}

// TestStatusOfADaemonThatHangs: the status reports that in time, with everything that it reads elsewhere.
func TestStatusOfADaemonThatHangs(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	pid := h.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	began := time.Now()
	screen := h.ok("status")
	if took := time.Since(began); took > patience/4 {
		t.Errorf("it took %s", took)
	}
	for _, words := range []string{fmt.Sprintf("(process %d, ", pid), " free, store ",
		"error: The daemon does not answer (daemon-not-answering, Service " + h.name + ")",
		"no answer within 10s", "`rdd service stop --timeout 30s`"} {
		if !strings.Contains(screen, words) {
			t.Errorf("it does not say %q:\n%s", words, screen)
		}
	}
	if strings.Contains(screen, "\nApp ") {
		t.Errorf("it tells of an App that it can't know:\n%s", screen)
	}
	h.finds([]string{fmt.Sprint("process ", pid)}, "daemon-not-answering of Service /"+h.name)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.finds(nil)
}
