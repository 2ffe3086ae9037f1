// SPDX-License-Identifier: Apache-2.0

// Package template generates the lima.yaml of RDD's own virtual machine: a Debian guest
// with a container engine from Debian's packages, whose socket is forwarded to the
// host. It knows Lima's format, but neither runs limactl nor depends on App.
package template

import (
	_ "embed"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// Engines that the guest can run. ParamEngine is the parameter that selects one: a
// change takes effect at the next boot.
const (
	ParamEngine      = "CONTAINER_ENGINE"
	EngineMoby       = "moby"
	EngineContainerd = "containerd"
)

// paramSSHFSMounts is how many directories Docker waits for at a boot.
const paramSSHFSMounts = "SSHFS_MOUNTS"

// Sockets of the engines in the guest.
const (
	guestDockerSocket     = "/run/docker.sock"
	guestContainerdSocket = "/run/containerd/containerd.sock"
)

// Mount is a directory of the host that is mounted in the guest.
type Mount struct {
	Location   string // on the host: absolute, or begins with ~
	MountPoint string // in the guest; empty: the same as Location
	Writable   bool
}

// Options describe a virtual machine.
type Options struct {
	// HostOS is runtime.GOOS of the host. It selects the hypervisor (QEMU on Linux,
	// Apple's framework on macOS, WSL 2 on Windows).
	HostOS string
	// Engine is EngineMoby or EngineContainerd.
	Engine string

	CPUs   int32
	Memory resource.Quantity // rounded up to whole MiB
	Disk   resource.Quantity // rounded up to whole MiB
	Mounts []Mount

	// Image is a path or a URL, with an optional digest: see [ParseImage]. If empty, it
	// is the built-in one.
	Image string

	// DockerSocket and ContainerdSocket are the absolute paths of the engines' sockets
	// on the host; an empty one is not forwarded. The socket of an engine that is not
	// running closes connections immediately.
	DockerSocket, ContainerdSocket string
}

//go:embed engine.sh
var engineScript string

//go:embed ready.sh
var readyScript string

// Template returns a complete lima.yaml, for Lima 2.0 and newer. Equal options give
// equal bytes. An invalid option is an error that names it.
func Template(o Options) ([]byte, error) {
	h, err := hostOf(o.HostOS)
	if err != nil {
		return nil, err
	}
	images, err := h.images(o.Image)
	if err != nil {
		return nil, err
	}
	if o.Engine != EngineMoby && o.Engine != EngineContainerd {
		return nil, fmt.Errorf("container engine %q: must be %s or %s", o.Engine, EngineMoby, EngineContainerd)
	}
	if o.CPUs < 1 {
		return nil, fmt.Errorf("cpus %d: must be at least 1", o.CPUs)
	}
	memory, err := Size("memory", o.Memory)
	if err != nil {
		return nil, err
	}
	disk, err := Size("disk", o.Disk)
	if err != nil {
		return nil, err
	}
	forwards, err := portForwards(o)
	if err != nil {
		return nil, err
	}
	t := limaYAML{
		MinimumLimaVersion: "2.0.0",
		VMType:             h.vmType,
		MountType:          h.mountType,
		Images:             images,
		Disk:               disk,
		Mounts:             mounts(o.Mounts),
		Param:              map[string]string{ParamEngine: o.Engine, paramSSHFSMounts: h.sshfsMounts(o.Mounts)},
		SSH:                &sshOptions{},
		Containerd:         &containerdOptions{},
		HostResolver:       &hostResolver{Enabled: true, Hosts: map[string]string{"host.docker.internal": "host.lima.internal"}},
		PortForwards:       forwards,
		Provision:          []provision{{Mode: "system", Script: engineScript}},
		Probes: []probe{{
			Mode:        "readiness",
			Description: "container engine",
			Script:      readyScript,
			Hint:        "The engine does not run: see /var/log/cloud-init-output.log in the guest.",
		}},
		Message: "This virtual machine belongs to Rancher Desktop, which starts, stops and changes it.\n",
	}
	if h.sized {
		t.CPUs, t.Memory = o.CPUs, memory
	}
	return yaml.Marshal(t)
}

func mounts(wanted []Mount) []mount {
	var all []mount
	for _, m := range wanted {
		all = append(all, mount(m))
	}
	return all
}

// portForwards returns the rules for the engines' sockets, and one for all ports of the
// guest: the ports that containers publish, on any address, are forwarded to the host's
// loopback only. Lima has the same default rule; it is explicit here because security
// depends on it.
func portForwards(o Options) ([]portForward, error) {
	var rules []portForward
	for _, s := range []struct{ guest, host string }{
		{guestDockerSocket, o.DockerSocket},
		{guestContainerdSocket, o.ContainerdSocket},
	} {
		if s.host != "" {
			rules = append(rules, portForward{GuestSocket: s.guest, HostSocket: s.host})
		}
	}
	if len(rules) == 0 {
		return nil, errors.New("no socket to forward: no client could reach the container engine")
	}
	return append(rules, portForward{
		GuestIP:        "127.0.0.1", // which stands for 0.0.0.0, :: and ::1 too
		GuestPortRange: []int{1, 65535},
		HostIP:         "127.0.0.1",
		HostPortRange:  []int{1, 65535},
		Proto:          "any",
	}), nil
}
