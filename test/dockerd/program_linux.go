// SPDX-License-Identifier: Apache-2.0

package dockerd

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

// Program is what runs as an engine.
type Program int

// The programs.
const (
	// Debian is the dockerd of Debian's docker.io, which is years old.
	Debian Program = iota
	// Newest is the newest dockerd that the Go module registry has, with its
	// own runc: see test/newestdocker.
	Newest
	// Podman is Debian's podman, behind its Docker-compatible API.
	Podman
)

// String names the program in messages.
func (p Program) String() string {
	return [...]string{"Debian's Docker engine", "the newest Docker engine", "Podman"}[p]
}

// installed returns what to do about a program that is not there.
func (p Program) installed() error {
	programs, advice := []string{"dockerd", "containerd"}, "apt-get install docker.io containerd busybox-static"
	switch p {
	case Newest:
		dir, err := realengine.BuiltDir()
		if err != nil {
			return err
		}
		programs = []string{filepath.Join(dir, "dockerd"), filepath.Join(dir, "runc"), "containerd"}
		advice = "make engines; apt-get install containerd busybox-static iptables"
	case Podman:
		// What podman starts itself has fixed places that are not on the PATH.
		programs = []string{"podman", "conmon", "runc", "/usr/lib/podman/netavark"}
		advice = "apt-get install podman conmon runc netavark busybox-static"
	}
	return realengine.Installed(advice, programs...)
}

// command returns the engine's command line, and writes its configuration.
func (e *Engine) command() (*exec.Cmd, error) {
	if e.cfg.Program == Podman {
		return e.podmanCommand()
	}
	config := filepath.Join(e.dir, "config.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"--data-root", filepath.Join(e.dir, "data"), "--exec-root", filepath.Join(e.dir, "exec"),
		"--pidfile", filepath.Join(e.dir, "pid"), "-H", e.Endpoint(), "--config-file", config,
	}
	args = append(args, e.tlsArgs()...)
	if !e.cfg.Network {
		args = append(args, "--bridge", "none", "--iptables=false", "--ip6tables=false")
	}
	if e.cfg.Program == Debian {
		return e.room.command("dockerd", args...), nil
	}
	built, err := realengine.BuiltDir()
	if err != nil {
		return nil, err
	}
	// Its runc is built without seccomp, and there is no docker-proxy.
	args = append(args, "--seccomp-profile", "unconfined", "--userland-proxy=false")
	cmd := e.room.command(filepath.Join(built, "dockerd"), args...)
	cmd.Env = append(os.Environ(), "PATH="+built+":"+os.Getenv("PATH")) // for runc
	return cmd, nil
}
