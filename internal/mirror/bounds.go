// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	// maxStatus bounds the status of a mirror as JSON, in bytes. The API server accepts 3 MiB; but the store keeps each revision with the one
	// before, and each watcher gets each revision.
	maxStatus = 128 << 10
	// reserved is for fields that are not from the engine: conditions of other writers, and lastAction.
	reserved = 24 << 10
	// frame is for the names of the fields, numbers, times and the engine's conditions.
	frame = 4 << 10

	// longestValue and shortestValue bound the length at which values are cut: the first of longestValue, half of it and so on with which the status fits.
	longestValue, shortestValue = 64 << 10, 1 << 10
	// nameLimit is the minimum length of values by which programs find an object. No engine allows longer names.
	nameLimit = 4 << 10

	// maxID bounds an engine's IDs, namespaces and names, in bytes: annotations have room for 256 KiB.
	maxID = 4 << 10

	reasonTooLarge    = "TooLarge"
	reasonInvalidTime = "InvalidTime"
)

// checkKey refuses a key that no mirror can have.
func checkKey(key engine.Key) error {
	if length := max(len(key.ID), len(key.Namespace)); length > maxID {
		return fmt.Errorf("the engine's name for the %s has %d bytes: at most %d can be mirrored", key.Kind, length, maxID)
	}
	return nil
}

// mirrors returns the desired mirrors of an engine object, each within its bounds: longer values are cut, and entries left out; the condition
// Truncated names the fields.
func (o owner) mirrors(object engine.Object, namespace string) []client.Object {
	objects := kinds[object.Key.Kind].want(o, object, namespace)
	for _, obj := range objects {
		bound(obj, label(obj)...)
	}
	return objects
}

// bound brings the status of a mirror within its bounds. It changes no array or map: the mirror may share them with the engine's answer. notes name what
// the mirror omits otherwise.
func bound(obj client.Object, notes ...string) {
	parts, times := kinds[kindOf(obj)].status.bounds(obj)
	shrink(parts, maxStatus-reserved-frame)
	reason, notes := reasonTooLarge, append(notes, notesOf(parts)...)
	if len(notes) == 0 {
		reason = reasonInvalidTime
	}
	for _, t := range times {
		if t.clear() {
			notes = append(notes, t.field+" (not a time that Kubernetes can write)")
		}
	}
	if len(notes) == 0 {
		return
	}
	conditions := conditionsOf(obj)
	*conditions = append(slices.Clip(*conditions), metav1.Condition{
		Type:    containersv1alpha1.ConditionTruncated,
		Status:  metav1.ConditionTrue,
		Reason:  reason,
		Message: printable.Text("the object omits data of the engine in: "+strings.Join(notes, "; "), printable.Condition),
	})
}

func containerBounds(s *containersv1alpha1.ContainerStatus) ([]part, []timeField) {
	if folded := foldPorts(s.Ports); len(folded) != len(s.Ports) {
		s.Ports, s.PortSummary = folded, engine.PortSummary(folded)
	}
	return containerParts(s), []timeField{{"createdAt", &s.CreatedAt}, {"startedAt", &s.StartedAt}, {"finishedAt", &s.FinishedAt}}
}

func containerParts(s *containersv1alpha1.ContainerStatus) []part {
	parts := []part{
		&text{"name", &s.Name, nameLimit, false},
		&text{"namespace", &s.Namespace, nameLimit, false},
		&text{"image", &s.Image, nameLimit, false},
		&text{"imageName", &s.ImageName, nameLimit, false},
		&text{"path", &s.Path, 0, false},
		&list[string]{field: "args", items: &s.Args, overhead: 3, values: itself},
		&dict{field: "labels", entries: &s.Labels},
		&text{"error", &s.Error, 0, false},
		&text{"health", &s.Health, 0, false},
		&list[containersv1alpha1.Port]{field: "ports", items: &s.Ports, overhead: 32, key: portKey, values: portValues, clone: clonePort},
		&text{"portSummary", &s.PortSummary, nameLimit, false},
		&list[containersv1alpha1.Mount]{field: "mounts", items: &s.Mounts, overhead: 34, key: mountKey, values: mountValues},
		&list[containersv1alpha1.NetworkAttachment]{field: "networks", items: &s.Networks, overhead: 32, key: networkKey, values: networkValues},
		&text{"composeProject", &s.ComposeProject, nameLimit, false},
		&text{"restartPolicy", &s.RestartPolicy, 0, false},
	}
	if s.Pod != nil {
		pod := *s.Pod
		s.Pod = &pod
		parts = append(parts, &text{"pod.name", &pod.Name, nameLimit, false}, &text{"pod.namespace", &pod.Namespace, nameLimit, false}, &text{"pod.uid", &pod.UID, 0, false})
	}
	return parts
}

func imageParts(s *containersv1alpha1.ImageStatus) []part {
	return []part{
		&text{"id", &s.ID, nameLimit, false},
		&text{"repoTag", &s.RepoTag, nameLimit, false},
		&list[string]{field: "repoDigests", items: &s.RepoDigests, overhead: 3, values: itself},
		&text{"namespace", &s.Namespace, nameLimit, false},
		&text{"architecture", &s.Architecture, 0, false},
		&text{"os", &s.OS, 0, false},
		&dict{field: "labels", entries: &s.Labels},
	}
}

func volumeParts(s *containersv1alpha1.VolumeStatus) []part {
	return []part{
		&text{"name", &s.Name, nameLimit, false},
		&text{"namespace", &s.Namespace, nameLimit, false},
		&text{"driver", &s.Driver, 0, false},
		&text{"mountpoint", &s.Mountpoint, 0, false},
		&text{"scope", &s.Scope, 0, false},
		&dict{field: "labels", entries: &s.Labels},
		&dict{field: "options", entries: &s.Options},
	}
}

func namespaceParts(s *containersv1alpha1.ContainerNamespaceStatus) []part {
	return []part{&text{"name", &s.Name, nameLimit, false}, &dict{field: "labels", entries: &s.Labels}}
}

func itself(s *string) []*string { return []*string{s} }

func portKey(p *containersv1alpha1.Port) string { return p.Name }

func portValues(p *containersv1alpha1.Port) []*string {
	values := make([]*string, 0, 2*len(p.Bindings))
	for i := range p.Bindings {
		values = append(values, &p.Bindings[i].HostIP, &p.Bindings[i].HostPort)
	}
	return values
}

func clonePort(p containersv1alpha1.Port) containersv1alpha1.Port {
	p.Bindings = slices.Clone(p.Bindings)
	return p
}

func mountKey(m *containersv1alpha1.Mount) string { return m.Destination }

func mountValues(m *containersv1alpha1.Mount) []*string {
	return []*string{&m.Type, &m.Name, &m.Source, &m.Driver, &m.Mode}
}

func networkKey(n *containersv1alpha1.NetworkAttachment) string { return n.Name }

func networkValues(n *containersv1alpha1.NetworkAttachment) []*string { return []*string{&n.IPAddress} }

// timeField is a field with a time.
type timeField struct {
	field string
	value **metav1.Time
}

// clear removes a time that RFC 3339 can't express, and reports whether it did.
func (t timeField) clear() bool {
	at := *t.value
	if at == nil {
		return false
	}
	if year := at.UTC().Year(); year >= 1 && year <= 9999 {
		return false
	}
	*t.value = nil
	return true
}
