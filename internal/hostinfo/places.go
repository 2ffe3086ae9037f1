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

// Places are where a [Probe] looks. Empty ones are skipped.
type Places struct {
	// Root is the root of the file system, and on Windows the system directory.
	Root string
	// Home is the user's home directory.
	Home string
	// Data is the directory of RDD's data. The reported disk is its file system, or
	// Home's if it is empty.
	Data string
	// RuntimeDir is the directory of the sockets of the user's services.
	RuntimeDir string
	// DockerHost is the endpoint that the user set.
	DockerHost string
	// Limactl is where to search for limactl.
	Limactl limactl.Places
}

// thisMachine returns the places on this machine. Unknown ones are empty.
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

// DockerEndpoints returns the usual endpoints of engines with Docker's API on this
// machine, the most usual first, whether or not they exist.
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
