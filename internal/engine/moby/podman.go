// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/system"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Where Podman's Docker-compatible API differs from Docker's, as seen with
// Podman 4.3 (https://docs.podman.io/en/latest/_static/api.html, "compat").
const (
	// podmanInit and podmanCleanup are events of a container: its network is set
	// up before it starts, and goes some time after it has died.
	podmanInit    events.Action = "init"
	podmanCleanup events.Action = "cleanup"

	// podmanName is the attribute that names a volume in its events, which have
	// no ID.
	podmanName = "name"

	// podmanPod is an attribute that all its events have. Those of networks are of
	// the container, and no attribute names it.
	podmanPod = "podId"

	// podmanNoImage is what is said of the removal of an image that is not there.
	podmanNoImage = "image not known"

	// podmanNetwork is the ID of its default network, on every machine. A list calls it
	// bridge, an inspection podman, and each says that it was just created.
	podmanNetwork = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"

	// podmanDefault is in what it answers when that network is to be removed: with the
	// status 500, as if it could not.
	podmanDefault = "default network"

	sha256Digits = 64
)

// info is what an engine says of itself.
type info struct {
	system.Info
	// BuildahVersion is in the answer of Podman only, which builds with Buildah.
	BuildahVersion string
}

// identity is the same over restarts of an engine. Podman makes up another ID
// for each answer; what it keeps is the machine's name and where its storage
// is.
func (i *info) identity() string {
	if i.BuildahVersion == "" {
		return i.ID
	}
	return "podman:" + i.Name + ":" + i.DockerRootDir
}

// podmanImageID returns the ID of an image as everything but Podman's events
// has it, with the name of its digest. No reference of an image looks like an
// ID without one.
func podmanImageID(id string) (string, bool) {
	if len(id) != sha256Digits || strings.Trim(id, "0123456789abcdef") != "" {
		return "", false
	}
	return "sha256:" + id, true
}

// phase returns the phase of a container. Podman has states that Docker's API
// does not know, and an engine that is newer than this program may have others:
// a Container has none then.
func phase(state container.ContainerState) containersv1alpha1.Phase {
	switch state {
	case "configured", "initialized":
		return containersv1alpha1.PhaseCreated
	case "stopping":
		return containersv1alpha1.PhaseRunning
	case "stopped":
		return containersv1alpha1.PhaseExited
	}
	switch phase := containersv1alpha1.Phase(state); phase {
	case containersv1alpha1.PhaseCreated, containersv1alpha1.PhaseRunning, containersv1alpha1.PhasePaused,
		containersv1alpha1.PhaseRestarting, containersv1alpha1.PhaseRemoving, containersv1alpha1.PhaseExited,
		containersv1alpha1.PhaseDead:
		return phase
	}
	return ""
}
