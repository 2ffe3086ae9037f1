// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
)

const (
	// commandWidth and mountWidth are the widths of truncated cells in Docker's tables.
	commandWidth = 20
	mountWidth   = 15
)

// containerRow is a container. The exported methods are the fields of Docker's template.
type containerRow struct {
	common
	status *containersv1alpha1.ContainerStatus
	image  imageOf
}

// imageOf is what the engine shows as a container's image.
type imageOf struct {
	name     string // a reference, or the ID if the reference is now another image's
	platform *formatter.Platform
}

func containerHeaders() formatter.HeaderContext {
	return headers(formatter.SubHeaderContext{
		"ID": formatter.ContainerIDHeader, "Names": "NAMES", "Image": formatter.ImageHeader, "Command": "COMMAND",
		"CreatedAt": formatter.CreatedAtHeader, "RunningFor": "CREATED", "Ports": formatter.PortsHeader,
		"State": formatter.StateHeader, "Status": formatter.StatusHeader, "Size": formatter.SizeHeader,
		"Labels": formatter.LabelsHeader, "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
		"Platform": "PLATFORM", "HealthStatus": "HEALTH STATUS", "Project": "PROJECT",
	})
}

// MarshalJSON has all fields.
func (r *containerRow) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// ID of the container.
func (r *containerRow) ID() string { return r.id(listing.ID(r.obj)) }

// Names of the container: one.
func (r *containerRow) Names() string { return text(r.status.Name) }

// Image that the container was created from.
func (r *containerRow) Image() string {
	name := r.image.name
	switch {
	case name == "":
		return "<no image>"
	case r.full:
		return text(name)
	}
	// A simulated engine may have names for IDs.
	if id := formatter.TruncateID(r.status.Image); strings.HasPrefix(r.status.Image, "sha256:") && id == formatter.TruncateID(name) {
		return text(id)
	}
	return text(familiar(name))
}

// familiar shortens a reference: without a digest, and without the default registry.
func familiar(name string) string {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	if _, digested := ref.(reference.Digested); digested {
		tagged, ok := ref.(reference.Tagged)
		ref = reference.TrimNamed(ref)
		if ok {
			if with, err := reference.WithTag(ref, tagged.Tag()); err == nil {
				ref = with
			}
		}
	}
	return reference.FamiliarString(ref)
}

// Command that the container runs, in quotes.
func (r *containerRow) Command() string {
	words := []string{r.status.Path}
	for _, arg := range r.status.Args {
		if strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	command := strings.Join(words, " ")
	if !r.full {
		command = formatter.Ellipsis(command, commandWidth)
	}
	return text(strconv.Quote(command))
}

// CreatedAt is when the container was created, in local time.
func (r *containerRow) CreatedAt() string { return timeOf(r.status.CreatedAt).String() }

// RunningFor is how long ago the container was created.
func (r *containerRow) RunningFor() string { return ago(r.now, r.status.CreatedAt) }

// State is the container's state in one word.
func (r *containerRow) State() string { return string(r.status.Status) }

// Status is the container's state with times, its exit code or its health.
func (r *containerRow) Status() string {
	s := r.status
	switch s.Status {
	case containersv1alpha1.PhaseRemoving:
		return "Removal In Progress"
	case containersv1alpha1.PhaseDead:
		return "Dead"
	case containersv1alpha1.PhaseRestarting:
		return fmt.Sprintf("Restarting (%d) %s", s.ExitCode, ago(r.now, s.FinishedAt))
	case containersv1alpha1.PhaseRunning, containersv1alpha1.PhasePaused:
		return "Up " + units.HumanDuration(r.now.Sub(timeOf(s.StartedAt))) + condition(s)
	}
	switch {
	case s.StartedAt == nil:
		return "Created"
	case s.FinishedAt == nil:
		return ""
	}
	return fmt.Sprintf("Exited (%d) %s", s.ExitCode, ago(r.now, s.FinishedAt))
}

// condition is what follows a running container's uptime.
func condition(s *containersv1alpha1.ContainerStatus) string {
	switch {
	case s.Status == containersv1alpha1.PhasePaused:
		return " (Paused)"
	case s.Health == string(container.Starting):
		return " (health: starting)"
	case s.Health != "":
		return " (" + text(s.Health) + ")"
	}
	return ""
}

// HealthStatus is starting, healthy or unhealthy.
func (r *containerRow) HealthStatus() string { return text(r.status.Health) }

// Size is what Docker shows if the size is not requested.
func (r *containerRow) Size() string { return "0B" }

// Labels of the container.
func (r *containerRow) Labels() string { return joined(r.status.Labels) }

// Label is the value of a label.
func (r *containerRow) Label(name string) string { return text(r.status.Labels[name]) }

// Mounts are the names of the mounted volumes and the paths of other mounts.
func (r *containerRow) Mounts() string {
	names := make([]string, 0, len(r.status.Mounts))
	for i := range r.status.Mounts {
		name := mountName(&r.status.Mounts[i])
		if !r.full {
			name = formatter.Ellipsis(name, mountWidth)
		}
		names = append(names, name)
	}
	return text(strings.Join(names, ","))
}

func mountName(m *containersv1alpha1.Mount) string {
	if m.Name != "" {
		return m.Name
	}
	return m.Source
}

// LocalVolumes is the number of mounted volumes of the local driver.
func (r *containerRow) LocalVolumes() string {
	count := 0
	for i := range r.status.Mounts {
		if r.status.Mounts[i].Driver == "local" {
			count++
		}
	}
	return strconv.Itoa(count)
}

// Networks are the names of the container's networks.
func (r *containerRow) Networks() string {
	names := make([]string, 0, len(r.status.Networks))
	for _, network := range r.status.Networks {
		names = append(names, network.Name)
	}
	return text(strings.Join(names, ","))
}

// Platform of the container's image; nil if it is not known.
func (r *containerRow) Platform() *formatter.Platform { return r.image.platform }

// Project is the Compose project.
func (r *containerRow) Project() string { return text(r.status.ComposeProject) }

// Ports of the container.
func (r *containerRow) Ports() string { return text(formatter.DisplayablePorts(ports(r.status))) }

// ports returns the ports as Docker lists them: only those of a running container that
// has a network of its own.
func ports(s *containersv1alpha1.ContainerStatus) (list []container.PortSummary) {
	if s.Status != containersv1alpha1.PhaseRunning && s.Status != containersv1alpha1.PhasePaused || !hasNetwork(s) {
		return nil
	}
	for _, port := range s.Ports {
		span, protocol, _ := strings.Cut(port.Name, "/")
		first, last := portRange(span)
		for n := first; n <= last && n > 0; n++ {
			summary := container.PortSummary{PrivatePort: uint16(n), Type: protocol} //nolint:gosec // portRange has the limit
			if len(port.Bindings) == 0 {
				list = append(list, summary)
			}
			for _, binding := range port.Bindings {
				host, _ := portRange(binding.HostPort)
				summary.IP, _ = netip.ParseAddr(binding.HostIP) // an invalid address is none
				summary.PublicPort = uint16(host + n - first)   //nolint:gosec // as above, for a valid binding
				list = append(list, summary)
			}
		}
	}
	return list
}

// hasNetwork reports whether a container does not share its network with the host or
// another container, and is not without one.
func hasNetwork(s *containersv1alpha1.ContainerStatus) bool {
	for _, network := range s.Networks {
		if network.Name != "host" && network.Name != "none" {
			return true
		}
	}
	return false
}

// maxPort is the largest number of a port.
const maxPort = 1<<16 - 1

// portRange reads N or FIRST-LAST; zeros if the text is neither.
func portRange(text string) (first, last int) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	first, err := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || first < 0 || last > maxPort || first > last {
		return 0, 0
	}
	return first, last
}

// platformOf returns the platform of an image; nil if it is not known.
func platformOf(image *containersv1alpha1.ImageStatus) *formatter.Platform {
	if image.OS == "" || image.Architecture == "" {
		return nil
	}
	platform := platforms.Normalize(ocispec.Platform{OS: image.OS, Architecture: image.Architecture})
	return &formatter.Platform{Platform: platform}
}
