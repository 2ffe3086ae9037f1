// SPDX-License-Identifier: Apache-2.0

package traits

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
)

// Moby returns the traits of engines with Docker's API, Podman included.
func Moby() engine.Traits {
	return engine.Traits{
		Type:          containersv1alpha1.EngineMoby,
		IsDockerAPI:   true,
		Schemes:       []endpoint.Scheme{endpoint.Unix, endpoint.NPipe, endpoint.TCP, endpoint.SSH},
		SecretSchemes: []endpoint.Scheme{endpoint.TCP},
		KeepsUsed:     []engine.Kind{engine.KindImage, engine.KindVolume, engine.KindNetwork},
		Socket:        "docker.sock",
		Places: []engine.Place{
			{Base: engine.Root, Path: "var/run/docker.sock"},
			{Base: engine.RuntimeDir, Path: "docker.sock"},
			{Base: engine.Home, Path: ".docker/run/docker.sock"},
			{Base: engine.Home, Path: ".docker/desktop/docker.sock"},
			{Base: engine.RuntimeDir, Path: "podman/podman.sock"},
			{Base: engine.Root, Path: "run/podman/podman.sock"},
		},
		Pipes:   []string{"docker_engine", "dockerDesktopLinuxEngine", "podman-machine-default"},
		Service: "docker",
		Commands: engine.Commands{
			Version:  "docker -H {endpoint} version",
			Desktop:  "Docker Desktop",
			Rootless: "dockerd-rootless.sh",
			Kill:     "docker rm -f",
			Usage:    "`docker system df` shows the space of images and containers, `docker system prune` removes unused ones",
		},
	}
}
