// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/go-units"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// none is the cell of an object without a value.
const none = "<none>"

const containersGroup = "containers"

// Table is a kind of object and its columns.
type Table struct {
	group   string // of controllers
	columns []string
	list    func() client.ObjectList
	row     func(client.Object, cells) []string
	compare func(a, b client.Object) int
}

// NewList returns an empty list of the table's kind.
func (t Table) NewList() client.ObjectList { return t.list() }

// sort puts a list in the table's order.
func (t Table) sort(list client.ObjectList) error {
	items, err := apimeta.ExtractList(list)
	if err != nil {
		return err
	}
	slices.SortStableFunc(items, func(a, b runtime.Object) int { return t.compare(object(a), object(b)) })
	return apimeta.SetList(list, items)
}

// Containers is the table of containers, newest first.
func Containers() Table {
	return Table{
		group:   containersGroup,
		columns: []string{"CONTAINER ID", "NAME", "IMAGE", "STATUS", "PORTS", "ENGINE", "AGE"},
		list:    func() client.ObjectList { return &containersv1alpha1.ContainerList{} },
		row: func(obj client.Object, c cells) []string {
			container := obj.(*containersv1alpha1.Container)
			status := &container.Status
			return []string{c.id(ID(obj)), status.Name, status.ImageName, phase(status), status.PortSummary, EngineOf(obj), c.age(status.CreatedAt)}
		},
		compare: func(a, b client.Object) int {
			x, y := &a.(*containersv1alpha1.Container).Status, &b.(*containersv1alpha1.Container).Status
			return cmp.Or(-compareTimes(x.CreatedAt, y.CreatedAt), cmp.Compare(x.Name, y.Name))
		},
	}
}

// phase returns the status of a container, with its exit code or health.
func phase(status *containersv1alpha1.ContainerStatus) string {
	switch {
	case status.Status == containersv1alpha1.PhaseExited:
		return fmt.Sprintf("exited (%d)", status.ExitCode)
	case status.Status == containersv1alpha1.PhaseRunning && status.Health != "":
		return "running (" + status.Health + ")"
	}
	return string(status.Status)
}

// Images is the table of images, sorted by name, untagged ones last.
func Images() Table {
	return Table{
		group:   containersGroup,
		columns: []string{"REPOSITORY", "TAG", "IMAGE ID", "SIZE", "ENGINE", "AGE"},
		list:    func() client.ObjectList { return &containersv1alpha1.ImageList{} },
		row: func(obj client.Object, c cells) []string {
			status := &obj.(*containersv1alpha1.Image).Status
			repository, tag := splitTag(status.RepoTag)
			return []string{repository, tag, c.id(status.ID), units.HumanSizeWithPrecision(float64(status.Size), 3), EngineOf(obj), c.age(status.CreatedAt)}
		},
		compare: func(a, b client.Object) int {
			x, y := &a.(*containersv1alpha1.Image).Status, &b.(*containersv1alpha1.Image).Status
			return cmp.Or(compareEmptyLast(x.RepoTag, y.RepoTag), cmp.Compare(x.ID, y.ID))
		},
	}
}

// splitTag splits a reference into name and tag. A colon before a slash precedes a port.
func splitTag(reference string) (repository, tag string) {
	if reference == "" {
		return none, none
	}
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		return reference[:i], reference[i+1:]
	}
	return reference, none
}

// Volumes is the table of volumes, sorted by name.
func Volumes() Table {
	return Table{
		group:   containersGroup,
		columns: []string{"NAME", "DRIVER", "MOUNTPOINT", "ENGINE", "AGE"},
		list:    func() client.ObjectList { return &containersv1alpha1.VolumeList{} },
		row: func(obj client.Object, c cells) []string {
			status := &obj.(*containersv1alpha1.Volume).Status
			return []string{status.Name, status.Driver, status.Mountpoint, EngineOf(obj), c.age(status.CreatedAt)}
		},
		compare: func(a, b client.Object) int {
			return cmp.Compare(a.(*containersv1alpha1.Volume).Status.Name, b.(*containersv1alpha1.Volume).Status.Name)
		},
	}
}

// ID returns the engine's ID of a mirrored object.
func ID(obj client.Object) string {
	return cmp.Or(obj.GetAnnotations()[containersv1alpha1.IDAnnotation], obj.GetName())
}

// EngineOf returns namespace and name of a mirror's ContainerEngine.
func EngineOf(obj client.Object) string {
	return obj.GetNamespace() + "/" + obj.GetLabels()[containersv1alpha1.EngineLabel]
}

// compareTimes sorts nil first.
func compareTimes(a, b *metav1.Time) int {
	switch {
	case a.Equal(b):
		return 0
	case a == nil, b != nil && a.Before(b):
		return -1
	}
	return 1
}

func compareEmptyLast(a, b string) int {
	if (a == "") != (b == "") {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}
