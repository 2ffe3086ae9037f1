// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/types/task"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// spec is the used part of a container's specification
// (https://github.com/opencontainers/runtime-spec/blob/main/config.md).
type spec struct {
	Process struct {
		Args     []string `json:"args"`
		Terminal bool     `json:"terminal"`
	} `json:"process"`
	Mounts      []specMount       `json:"mounts"`
	Annotations map[string]string `json:"annotations"`
}

type specMount struct {
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Destination string   `json:"destination"`
	Options     []string `json:"options"`
}

// bind reports whether it is a bind mount.
func (m specMount) bind() bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// specOf returns a container's specification; an empty one if it can't be decoded.
func specOf(c *containersapi.Container) spec {
	var s spec
	_ = limits.Unmarshal(c.GetSpec().GetValue(), &s)
	return s
}

// recordOf reads a container's specification.
func recordOf(c *containersapi.Container) record { return record{c, specOf(c)} }

// containerStatus returns a container's status from containerd's record and the labels
// of the client that created it. process is its task, nil for none; image is the
// current digest of its image's name.
func containerStatus(namespace string, c record, process *task.Process, image string) *containersv1alpha1.ContainerStatus {
	l := labelsOf(c.Container, c.spec)
	kept := criMetadataOf(c.Container)
	status := &containersv1alpha1.ContainerStatus{
		Name:           l.name(c.GetID()),
		Namespace:      namespace,
		Image:          image,
		ImageName:      c.GetImage(),
		Labels:         copyMap(c.GetLabels()),
		CreatedAt:      timeOf(c.GetCreatedAt()),
		Ports:          l.ports(c.GetID()),
		Networks:       l.networks(),
		Mounts:         mounts(c.spec, l),
		Pod:            l.pod(),
		ComposeProject: l[engine.ComposeProjectLabel],
		RestartPolicy:  l[restartPolicyLabel],
		Error:          l[nerdctlError],
	}
	if len(status.Ports) == 0 {
		status.Ports = kept.ports()
	}
	status.PortSummary = engine.PortSummary(status.Ports)
	if count, err := strconv.ParseInt(cmp.Or(l[restartCountLabel], kept.Config.Annotations[criRestartsAnnotation]), 10, 64); err == nil {
		status.RestartCount = engine.Clamp32(count)
	}
	if args := c.spec.Process.Args; len(args) > 0 {
		status.Path = args[0]
		if len(args) > 1 {
			status.Args = args[1:]
		}
	}
	setState(status, process)
	if status.Status == containersv1alpha1.PhaseRunning {
		status.Health = l.health()
	}
	return status
}

// setState sets the state of a container's task. Without a task the last run is not
// known: the container looks as if it had never run.
func setState(status *containersv1alpha1.ContainerStatus, process *task.Process) {
	setPhase(status, phase(process))
	switch status.Status {
	case containersv1alpha1.PhaseRunning, containersv1alpha1.PhasePaused:
		status.PID = int64(process.GetPid())
	case containersv1alpha1.PhaseExited:
		status.ExitCode = engine.Clamp32(int64(process.GetExitStatus()))
		status.FinishedAt = timeOf(process.GetExitedAt())
	}
}

func setPhase(status *containersv1alpha1.ContainerStatus, phase containersv1alpha1.Phase) {
	status.Status = phase
	paused := status.Status == containersv1alpha1.PhasePaused
	running := paused || status.Status == containersv1alpha1.PhaseRunning // as Docker has it
	status.Conditions = []metav1.Condition{
		engine.Condition(containersv1alpha1.ConditionRunning, running, status.Status),
		engine.Condition(containersv1alpha1.ConditionPaused, paused, status.Status),
		engine.Condition(containersv1alpha1.ConditionRestarting, false, status.Status),
		engine.Condition(containersv1alpha1.ConditionOOMKilled, false, status.Status),
		engine.Condition(containersv1alpha1.ConditionDead, false, status.Status),
	}
}

func phase(process *task.Process) containersv1alpha1.Phase {
	switch process.GetStatus() {
	case task.Status_RUNNING, task.Status_PAUSING:
		return containersv1alpha1.PhaseRunning
	case task.Status_PAUSED:
		return containersv1alpha1.PhasePaused
	case task.Status_STOPPED:
		return containersv1alpha1.PhaseExited
	case task.Status_UNKNOWN:
		if process != nil { // its shim is dead
			return containersv1alpha1.PhaseDead
		}
	}
	return containersv1alpha1.PhaseCreated
}

// mounts returns the mounts that nerdctl recorded, or else the bind mounts.
func mounts(s spec, l labels) []containersv1alpha1.Mount {
	converted := l.mounts()
	if len(converted) == 0 {
		for _, m := range s.Mounts {
			if m.bind() && m.Destination != "" {
				converted = append(converted, containersv1alpha1.Mount{
					Type: "bind", Source: m.Source, Destination: m.Destination, ReadOnly: slices.Contains(m.Options, "ro"),
				})
			}
		}
	}
	slices.SortStableFunc(converted, func(a, b containersv1alpha1.Mount) int { return cmp.Compare(a.Destination, b.Destination) })
	return slices.CompactFunc(converted, func(a, b containersv1alpha1.Mount) bool { return a.Destination == b.Destination })
}

// timeOf returns a time in whole seconds.
func timeOf(t *timestamppb.Timestamp) *metav1.Time {
	if t == nil || t.GetSeconds() == 0 {
		return nil
	}
	return wholeSeconds(t.AsTime())
}

// wholeSeconds returns a time in whole seconds; nil for the zero time. The mirror
// reports years that RFC 3339 can't express.
func wholeSeconds(t time.Time) *metav1.Time {
	if t = t.Truncate(time.Second).UTC(); t.Year() <= 1 {
		return nil
	}
	return &metav1.Time{Time: t}
}

// copyMap returns a copy; nil for an empty map, as the API server returns it.
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
