// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

const (
	dockerHostEnv = "DOCKER_HOST"
	runtimeDirEnv = "XDG_RUNTIME_DIR"
)

// Places are where a [Probe] looks. Empty ones are not looked at.
type Places struct {
	// Root is the root of the file system, and on Windows the system directory.
	Root string
	// Home is the user's home directory. The space told of is that of its file
	// system.
	Home string
	// RuntimeDir is where the user's own services have their sockets.
	RuntimeDir string
	// DockerHost is the endpoint that the user wants.
	DockerHost string
	// Limactl says where limactl may be.
	Limactl limactl.Places
}

// thisMachine returns where things are on the machine. What is unknown is empty.
func thisMachine() Places {
	p := Places{
		Root:       root(),
		RuntimeDir: os.Getenv(runtimeDirEnv),
		DockerHost: os.Getenv(dockerHostEnv),
		Limactl:    limactl.ThisMachine(),
	}
	if home, err := os.UserHomeDir(); err == nil {
		p.Home = home
	}
	return p
}
