// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// noTag is what older engines list as the tag of an image that has none.
	noTag = "<none>:<none>"
	// noDigest likewise.
	noDigest = "<none>@<none>"
)

func containerStatus(c *container.InspectResponse) *containersv1alpha1.ContainerStatus {
	status := &containersv1alpha1.ContainerStatus{
		Name:         strings.TrimPrefix(c.Name, "/"),
		Namespace:    Namespace,
		Image:        c.Image,
		Path:         c.Path,
		Args:         emptyAsNil(c.Args),
		CreatedAt:    parseTime(c.Created),
		RestartCount: engine.Clamp32(int64(c.RestartCount)),
		Mounts:       mounts(c.Mounts),
	}
	if c.Config != nil {
		status.ImageName = c.Config.Image
		status.Labels = copyMap(c.Config.Labels)
		status.ComposeProject = c.Config.Labels[engine.ComposeProjectLabel]
	}
	if c.HostConfig != nil {
		status.RestartPolicy = restartPolicy(c.HostConfig.RestartPolicy)
	}
	setState(status, c.State)
	setNetwork(status, c.Config, c.NetworkSettings)
	return status
}

func setState(status *containersv1alpha1.ContainerStatus, state *container.State) {
	if state == nil {
		return
	}
	status.Status = phase(state.Status)
	status.PID = int64(state.Pid)
	status.ExitCode = engine.Clamp32(int64(state.ExitCode))
	status.Error = state.Error
	status.StartedAt = parseTime(state.StartedAt)
	status.FinishedAt = parseTime(state.FinishedAt)
	if state.Health != nil && state.Health.Status != container.NoHealthcheck {
		status.Health = string(state.Health.Status)
	}
	status.Conditions = []metav1.Condition{
		engine.Condition(containersv1alpha1.ConditionRunning, state.Running, status.Status),
		engine.Condition(containersv1alpha1.ConditionPaused, state.Paused, status.Status),
		engine.Condition(containersv1alpha1.ConditionRestarting, state.Restarting, status.Status),
		engine.Condition(containersv1alpha1.ConditionOOMKilled, state.OOMKilled, status.Status),
		engine.Condition(containersv1alpha1.ConditionDead, state.Dead, status.Status),
	}
}

func restartPolicy(policy container.RestartPolicy) string {
	if policy.MaximumRetryCount > 0 {
		return fmt.Sprintf("%s:%d", policy.Name, policy.MaximumRetryCount)
	}
	return string(policy.Name)
}

func setNetwork(status *containersv1alpha1.ContainerStatus, config *container.Config, settings *container.NetworkSettings) {
	ports := map[network.Port][]containersv1alpha1.PortBinding{}
	if config != nil {
		for port := range config.ExposedPorts {
			ports[port] = nil
		}
	}
	if settings != nil {
		for port, bindings := range settings.Ports {
			ports[port] = portBindings(bindings)
		}
		for name, endpoint := range settings.Networks {
			attachment := containersv1alpha1.NetworkAttachment{Name: name}
			if endpoint != nil && endpoint.IPAddress.IsValid() {
				attachment.IPAddress = endpoint.IPAddress.String()
			}
			status.Networks = append(status.Networks, attachment)
		}
	}
	slices.SortFunc(status.Networks, func(a, b containersv1alpha1.NetworkAttachment) int {
		return cmp.Compare(a.Name, b.Name)
	})
	for _, port := range sortedPorts(ports) {
		status.Ports = append(status.Ports, containersv1alpha1.Port{Name: port.String(), Bindings: ports[port]})
	}
	status.PortSummary = engine.PortSummary(status.Ports)
}

func portBindings(bindings []network.PortBinding) []containersv1alpha1.PortBinding {
	var converted []containersv1alpha1.PortBinding
	for _, binding := range bindings {
		b := containersv1alpha1.PortBinding{HostPort: binding.HostPort}
		if binding.HostIP.IsValid() {
			b.HostIP = binding.HostIP.String()
		}
		converted = append(converted, b)
	}
	slices.SortFunc(converted, func(a, b containersv1alpha1.PortBinding) int {
		return cmp.Or(cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
	})
	return converted
}

func sortedPorts(ports map[network.Port][]containersv1alpha1.PortBinding) []network.Port {
	sorted := make([]network.Port, 0, len(ports))
	for port := range ports {
		sorted = append(sorted, port)
	}
	slices.SortFunc(sorted, func(a, b network.Port) int {
		return cmp.Or(cmp.Compare(a.Num(), b.Num()), cmp.Compare(a.Proto(), b.Proto()))
	})
	return sorted
}

func mounts(points []container.MountPoint) []containersv1alpha1.Mount {
	var converted []containersv1alpha1.Mount
	for _, point := range points {
		converted = append(converted, containersv1alpha1.Mount{
			Type:        string(point.Type),
			Name:        point.Name,
			Source:      point.Source,
			Destination: point.Destination,
			Driver:      point.Driver,
			Mode:        point.Mode,
			ReadOnly:    !point.RW,
		})
	}
	slices.SortFunc(converted, func(a, b containersv1alpha1.Mount) int { return cmp.Compare(a.Destination, b.Destination) })
	return slices.CompactFunc(converted, func(a, b containersv1alpha1.Mount) bool { return a.Destination == b.Destination })
}

// imageStatuses returns the image once for each tag, or once with none.
func imageStatuses(i *image.InspectResponse) []containersv1alpha1.ImageStatus {
	base := containersv1alpha1.ImageStatus{
		ID:           i.ID,
		RepoDigests:  references(i.RepoDigests, noDigest),
		Namespace:    Namespace,
		CreatedAt:    parseTime(i.Created),
		Architecture: i.Architecture,
		OS:           i.Os,
		Size:         imageSize(i),
	}
	if i.Config != nil {
		base.Labels = copyMap(i.Config.Labels)
	}
	tags := tags(i.RepoTags)
	if len(tags) == 0 {
		return []containersv1alpha1.ImageStatus{base}
	}
	statuses := make([]containersv1alpha1.ImageStatus, len(tags))
	for n, tag := range tags {
		statuses[n] = *base.DeepCopy()
		statuses[n].RepoTag = tag
	}
	return statuses
}

// imageSize returns the size that `docker images` shows: that of all platforms.
// An inspection has that of the engine's own.
func imageSize(i *image.InspectResponse) int64 {
	if len(i.Manifests) == 0 {
		return i.Size
	}
	var total int64
	for _, manifest := range i.Manifests {
		total += manifest.Size.Total
	}
	return total
}

// tags returns the tags in a list of references: some engines list there the
// digests that an image was pulled by, too.
func tags(list []string) []string {
	sorted := references(list, noTag)
	return emptyAsNil(slices.DeleteFunc(sorted, func(r string) bool { return strings.Contains(r, "@") }))
}

// references returns the references sorted, without duplicates, and without empty
// ones and the word for none.
func references(list []string, none string) []string {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	return emptyAsNil(slices.DeleteFunc(sorted, func(r string) bool { return r == none || r == "" }))
}

func volumeStatus(v *volume.Volume) *containersv1alpha1.VolumeStatus {
	return &containersv1alpha1.VolumeStatus{
		Name:       v.Name,
		Namespace:  Namespace,
		Driver:     v.Driver,
		Mountpoint: v.Mountpoint,
		Scope:      v.Scope,
		Labels:     copyMap(v.Labels),
		Options:    copyMap(v.Options),
		CreatedAt:  parseTime(v.CreatedAt),
	}
}

// outOfRangeRE matches times of a year with more than four digits, or before year 0.
var outOfRangeRE = regexp.MustCompile(`^(-\d{4,}|\+?\d{5,})-\d\d-\d\dT`)

// parseTime reads a time as the API writes it. The API has a year 1 where there
// is no time; objects keep whole seconds.
func parseTime(text string) *metav1.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil && outOfRangeRE.MatchString(text):
		return &metav1.Time{Time: engine.NoTime()}
	case err != nil || t.Year() <= 1:
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second).UTC()}
}

// copyMap returns a copy, and nil for an empty map, as it is after a way through
// the API server.
func copyMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	c := make(map[string]string, len(m))
	for key, value := range m {
		c[key] = value
	}
	return c
}

func emptyAsNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}
