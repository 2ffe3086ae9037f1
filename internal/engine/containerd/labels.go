// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

// Labels of other clients on containers.
const (
	// nerdctl's (its documentation, "Container labels").
	nerdctlName        = "nerdctl/name"
	nerdctlPorts       = "nerdctl/ports" // until 2.1.2; then in a file
	nerdctlExposed     = "nerdctl/exposed-ports"
	nerdctlNetworks    = "nerdctl/networks"
	nerdctlMounts      = "nerdctl/mounts" // newer ones have nerdctl/mounts.0 and so on
	nerdctlStateDir    = "nerdctl/state-dir"
	nerdctlLogURI      = "nerdctl/log-uri"
	nerdctlStopTimeout = "nerdctl/stop-timeout" // in seconds
	nerdctlHealth      = "nerdctl/healthstate"
	nerdctlError       = "nerdctl/error"

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

	// stopSignalLabel has the stop signal of the image.
	stopSignalLabel = "io.containerd.image.config.stop-signal"
)

// Annotations that the kubelet writes on containers.
const (
	criPortsAnnotation    = "io.kubernetes.container.ports"
	criRestartsAnnotation = "io.kubernetes.container.restartCount"
)

// labels are the labels of a container. Invalid values count as absent: any client can
// write them.
type labels map[string]string

// labelsOf returns a container's labels. For containers of CRI clients other than the
// kubelet, it takes the pod's labels from the CRI plugin's annotations.
func labelsOf(c *containersapi.Container, s spec) labels {
	l := labels(c.GetLabels())
	if !ofCRI(c) || l[podName] != "" {
		return l
	}
	l = maps.Clone(l)
	for label, annotation := range map[string]string{
		podName: "sandbox-name", podNamespace: "sandbox-namespace", podUID: "sandbox-uid", podContainerName: "container-name",
	} {
		l[label] = s.Annotations["io.kubernetes.cri."+annotation]
	}
	return l
}

// name returns the name of the container; for a pod's container as nerdctl shows it.
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

// pod returns the pod of the container; nil for none.
func (l labels) pod() *containersv1alpha1.Pod {
	if l[podName] == "" {
		return nil
	}
	return &containersv1alpha1.Pod{
		Name: l[podName], Namespace: l[podNamespace], UID: l[podUID], Sandbox: l[criKind] == "sandbox",
	}
}

// mapping is nerdctl's format of a published port.
type mapping struct {
	HostPort      int
	ContainerPort int
	Protocol      string
	HostIP        string
}

// maxNetworkConfig is the largest file with ports that is read, in bytes.
const maxNetworkConfig = 1 << 20

// ports returns the ports of a nerdctl container. Published ports are in a label, or
// for newer versions in a file, which exists before the container.
func (l labels) ports(id string) []containersv1alpha1.Port {
	var published []mapping
	_ = limits.Unmarshal([]byte(l[nerdctlPorts]), &published)
	if dir := l[nerdctlStateDir]; dir != "" && l[nerdctlPorts] == "" && filepath.Base(dir) == id {
		published = portsOfFile(filepath.Join(dir, "network-config.json"))
	}
	bindings := map[portKey][]containersv1alpha1.PortBinding{}
	var exposed map[string]struct{}
	_ = limits.Unmarshal([]byte(l[nerdctlExposed]), &exposed)
	for port := range exposed {
		number, protocol, _ := strings.Cut(port, "/")
		if n, err := strconv.Atoi(number); err == nil { // not a range
			bindings[portKey{n, cmp.Or(protocol, "tcp")}] = nil
		}
	}
	for _, p := range published {
		key := portKey{p.ContainerPort, cmp.Or(p.Protocol, "tcp")}
		bindings[key] = append(bindings[key], containersv1alpha1.PortBinding{HostIP: p.HostIP, HostPort: strconv.Itoa(p.HostPort)})
	}
	return ports(bindings)
}

// portsOfFile reads nerdctl's file with ports; none if it can't be read: containerd may
// be in a virtual machine.
func portsOfFile(path string) []mapping {
	data, err := regular.Read(path, maxNetworkConfig)
	if err != nil {
		return nil
	}
	var config struct {
		PortMappings []mapping `json:"portMappings"`
	}
	_ = limits.Unmarshal(data, &config)
	return config.PortMappings
}

// health returns the result of nerdctl's health checks; empty without checks.
func (l labels) health() string {
	var state struct{ Status string }
	_ = limits.Unmarshal([]byte(l[nerdctlHealth]), &state)
	switch state.Status {
	case "starting", "healthy", "unhealthy":
		return state.Status
	}
	return ""
}

// ports returns the ports that the container of a pod declares.
func (r criRecord) ports() []containersv1alpha1.Port {
	var declared []struct {
		ContainerPort int    `json:"containerPort"`
		HostPort      int    `json:"hostPort"`
		HostIP        string `json:"hostIP"`
		Protocol      string `json:"protocol"`
	}
	_ = limits.Unmarshal([]byte(r.Config.Annotations[criPortsAnnotation]), &declared)
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

type portKey struct {
	number   int
	protocol string
}

// ports returns the ports and their bindings, sorted.
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
	_ = limits.Unmarshal([]byte(l[nerdctlNetworks]), &names)
	slices.Sort(names)
	var networks []containersv1alpha1.NetworkAttachment
	for _, name := range slices.Compact(names) {
		networks = append(networks, containersv1alpha1.NetworkAttachment{Name: name})
	}
	return networks
}

func (l labels) mounts() []containersv1alpha1.Mount {
	type mount struct {
		Type        string
		Name        string
		Source      string
		Destination string
		Driver      string
		Mode        string
		RW          bool
	}
	var noted []mount
	_ = limits.Unmarshal([]byte(l[nerdctlMounts]), &noted)
	for i := 0; l[nerdctlMounts] == "" && l[nerdctlMounts+"."+strconv.Itoa(i)] != ""; i++ {
		var m mount
		_ = limits.Unmarshal([]byte(l[nerdctlMounts+"."+strconv.Itoa(i)]), &m)
		noted = append(noted, m)
	}
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

// stopGrace returns how long the container may take to exit after its stop signal; zero
// to kill it at once.
func (l labels) stopGrace() time.Duration {
	seconds, err := strconv.Atoi(l[nerdctlStopTimeout])
	if err != nil {
		return stopGrace
	}
	return time.Duration(min(max(seconds, 0), maxStopSeconds)) * time.Second
}
