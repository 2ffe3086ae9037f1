// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Labels that others write on containers, and read again.
const (
	// nerdctl's (its documentation, "Container labels").
	nerdctlName     = "nerdctl/name"
	nerdctlPorts    = "nerdctl/ports"
	nerdctlNetworks = "nerdctl/networks"
	nerdctlMounts   = "nerdctl/mounts"
	nerdctlStateDir = "nerdctl/state-dir"
	nerdctlLogURI   = "nerdctl/log-uri"

	// The CRI plugin's, and the kubelet's.
	criKind          = "io.cri-containerd.kind" // container or sandbox
	podName          = "io.kubernetes.pod.name"
	podNamespace     = "io.kubernetes.pod.namespace"
	podUID           = "io.kubernetes.pod.uid"
	podContainerName = "io.kubernetes.container.name"

	// The restart monitor's (containerd's core/runtime/restart).
	restartPolicyLabel  = "containerd.io/restart.policy"
	restartCountLabel   = "containerd.io/restart.count"
	restartStatusLabel  = "containerd.io/restart.status"
	restartStoppedLabel = "containerd.io/restart.explicitly-stopped"
	restartLogURILabel  = "containerd.io/restart.loguri"

	// stopSignalLabel has the signal that the image asks for.
	stopSignalLabel = "io.containerd.image.config.stop-signal"
)

// criMetadata is the extension in which the CRI plugin keeps what it knows.
const criMetadata = "io.cri-containerd.container.metadata"

// criPortsAnnotation is where the kubelet writes a container's ports.
const criPortsAnnotation = "io.kubernetes.container.ports"

// labels are those of a container. What can't be read is taken for not there:
// anybody can write them.
type labels map[string]string

// name returns the name that people know the container by. The one of a
// container of a pod is nerdctl's.
func (l labels) name(id string) string {
	if l[podName] != "" && l[criKind] != "" {
		name := "k8s://" + l[podNamespace] + "/" + l[podName]
		if l[podContainerName] != "" {
			name += "/" + l[podContainerName]
		}
		return name
	}
	return cmp.Or(l[nerdctlName], id)
}

// pod returns the pod that the container is of, nil for none.
func (l labels) pod() *containersv1alpha1.Pod {
	if l[podName] == "" {
		return nil
	}
	return &containersv1alpha1.Pod{
		Name: l[podName], Namespace: l[podNamespace], UID: l[podUID], Sandbox: l[criKind] == "sandbox",
	}
}

func (l labels) ports() []containersv1alpha1.Port {
	var published []struct {
		HostPort      int
		ContainerPort int
		Protocol      string
		HostIP        string
	}
	_ = json.Unmarshal([]byte(l[nerdctlPorts]), &published)
	bindings := map[portKey][]containersv1alpha1.PortBinding{}
	for _, p := range published {
		key := portKey{p.ContainerPort, cmp.Or(p.Protocol, "tcp")}
		bindings[key] = append(bindings[key], containersv1alpha1.PortBinding{HostIP: p.HostIP, HostPort: strconv.Itoa(p.HostPort)})
	}
	return ports(bindings)
}

// criPorts returns the ports that the container of a pod declares.
func criPorts(c *containersapi.Container) []containersv1alpha1.Port {
	var declared []struct {
		ContainerPort int    `json:"containerPort"`
		HostPort      int    `json:"hostPort"`
		HostIP        string `json:"hostIP"`
		Protocol      string `json:"protocol"`
	}
	_ = json.Unmarshal([]byte(criMetadataOf(c).Config.Annotations[criPortsAnnotation]), &declared)
	bindings := map[portKey][]containersv1alpha1.PortBinding{}
	for _, p := range declared {
		key := portKey{p.ContainerPort, strings.ToLower(cmp.Or(p.Protocol, "tcp"))}
		bindings[key] = slices.Clip(bindings[key])
		if p.HostPort != 0 {
			bindings[key] = append(bindings[key], containersv1alpha1.PortBinding{HostIP: p.HostIP, HostPort: strconv.Itoa(p.HostPort)})
		}
	}
	return ports(bindings)
}

// criRecord is what is read of what the CRI plugin keeps.
type criRecord struct {
	LogPath string
	Config  struct {
		Annotations map[string]string `json:"annotations"`
	}
}

func criMetadataOf(c *containersapi.Container) criRecord {
	var kept struct{ Metadata criRecord }
	_ = json.Unmarshal(c.GetExtensions()[criMetadata].GetValue(), &kept)
	return kept.Metadata
}

type portKey struct {
	number   int
	protocol string
}

// ports returns the ports sorted, and so the addresses that lead to each.
func ports(bindings map[portKey][]containersv1alpha1.PortBinding) []containersv1alpha1.Port {
	keys := make([]portKey, 0, len(bindings))
	for key := range bindings {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b portKey) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.protocol, b.protocol))
	})
	var sorted []containersv1alpha1.Port
	for _, key := range keys {
		port := containersv1alpha1.Port{Name: strconv.Itoa(key.number) + "/" + key.protocol}
		if list := bindings[key]; len(list) > 0 {
			slices.SortFunc(list, func(a, b containersv1alpha1.PortBinding) int {
				return cmp.Or(cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
			})
			port.Bindings = list
		}
		sorted = append(sorted, port)
	}
	return sorted
}

func (l labels) networks() []containersv1alpha1.NetworkAttachment {
	var names []string
	_ = json.Unmarshal([]byte(l[nerdctlNetworks]), &names)
	slices.Sort(names)
	var networks []containersv1alpha1.NetworkAttachment
	for _, name := range slices.Compact(names) {
		networks = append(networks, containersv1alpha1.NetworkAttachment{Name: name})
	}
	return networks
}

func (l labels) mounts() []containersv1alpha1.Mount {
	var noted []struct {
		Type        string
		Name        string
		Source      string
		Destination string
		Driver      string
		Mode        string
		RW          bool
	}
	_ = json.Unmarshal([]byte(l[nerdctlMounts]), &noted)
	var converted []containersv1alpha1.Mount
	for _, m := range noted {
		if m.Destination != "" {
			converted = append(converted, containersv1alpha1.Mount{
				Type: m.Type, Name: m.Name, Source: m.Source, Destination: m.Destination, Driver: m.Driver, Mode: m.Mode, ReadOnly: !m.RW,
			})
		}
	}
	return converted
}
