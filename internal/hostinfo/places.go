// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
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
	// Home is the user's home directory.
	Home string
	// Data is where RDD keeps its data. The space told of is that of its file
	// system, and where it is empty that of Home's.
	Data string
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

// DockerEndpoints returns where engines with Docker's API usually are on this
// machine, the most usual first, whether there are any or not.
func DockerEndpoints() []string {
	places := thisMachine()
	places.DockerHost = ""
	var urls []string
	for _, e := range places.candidates() {
		if traits.Of(e.kind).IsDockerAPI {
			urls = append(urls, e.url)
		}
	}
	return urls
}
