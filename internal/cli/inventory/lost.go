// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
)

// HasMachines reports whether there is a virtual machine, or an object for one.
func (i *Inventory) HasMachines() bool { return len(i.Disks) > 0 || len(i.VMs) > 0 }

// WithApp returns what is deleted with the App, a line for each; none if there is no App.
func (i *Inventory) WithApp() []string {
	lost := i.app()
	if len(lost) > 0 {
		lost = append(lost, i.appsMachine()...)
	}
	return lost
}

// WithAppsMachine returns what is deleted with the App's virtual machine; none if there
// is no such machine.
func (i *Inventory) WithAppsMachine() []string {
	if len(i.app()) == 0 {
		return nil
	}
	return i.appsMachine()
}

// WithStore returns what is deleted with the store: the objects.
func (i *Inventory) WithStore() []string { return append(i.app(), i.objects()...) }

// WithInstance returns what is deleted with the whole instance.
func (i *Inventory) WithInstance() []string {
	lost := i.app()
	for _, disk := range i.Disks {
		lost = append(lost, i.machine(disk.Name))
	}
	return append(lost, i.objects()...)
}

// WithMachines returns what is deleted with the named virtual machines.
func (i *Inventory) WithMachines(names []string) (lost []string) {
	for n, name := range names {
		if slices.Contains(names[:n], name) {
			continue
		}
		known := i.Disk(name) != nil
		for at := range i.VMs {
			known = known || i.VMs[at].Name == name
		}
		if known || i.Unknown != nil {
			lost = append(lost, i.machine(name))
		}
	}
	return lost
}

func (i *Inventory) app() []string {
	switch {
	case i.App == nil && i.Unknown == nil:
		return nil
	case i.App == nil:
		return []string{"the App with its settings, if it exists: the objects can't be read: " + i.Unknown.Error()}
	case i.App.Spec.ContainerEngine.Endpoint != "":
		return []string{"the App with its settings (the content of the engine at " + i.App.Spec.ContainerEngine.Endpoint + " is kept)"}
	}
	return []string{"the App with its settings"}
}

func (i *Inventory) appsMachine() []string {
	if !i.hasAppsMachine() {
		return nil
	}
	return []string{i.machine(appv1alpha1.VMName)}
}

// machine describes a virtual machine and its content.
func (i *Inventory) machine(name string) string {
	line := "the virtual machine " + name
	disk := i.Disk(name)
	if disk == nil {
		return line + ", which has no disk yet"
	}
	line += " with its disk"
	if disk.Size != "" {
		line += " of " + disk.Size
	}
	line += fmt.Sprintf(" (%s used)", diagnostics.Size(disk.Used))
	if name != appv1alpha1.VMName {
		return line + ", and everything on it"
	}
	return line + ", containing " + i.contents()
}

// contents describes the content of the App's virtual machine.
func (i *Inventory) contents() string {
	for n := range i.Engines {
		engine := &i.Engines[n]
		owner := metav1.GetControllerOf(engine)
		if owner == nil || owner.Kind != "App" || i.App == nil || i.App.Spec.ContainerEngine.Endpoint != "" {
			continue
		}
		if apimeta.IsStatusConditionTrue(engine.Status.Conditions, containersv1alpha1.ConditionReady) {
			s := engine.Status
			return counted(int(s.Containers), "container") + ", " + counted(int(s.Images), "image") + " and " + counted(int(s.Volumes), "volume")
		}
	}
	return "an unknown number of containers, images and volumes, because its engine is not connected"
}

// objects describes the objects that a user created, except the App.
func (i *Inventory) objects() (lost []string) {
	if i.Unknown != nil {
		return []string{"an unknown number of objects that a user created"}
	}
	byResource := map[string]int{}
	for n := range i.Engines {
		if metav1.GetControllerOf(&i.Engines[n]) == nil {
			byResource["containerengine"]++
		}
	}
	for n := range i.VMs {
		if metav1.GetControllerOf(&i.VMs[n]) == nil {
			byResource["limavm"]++
		}
	}
	for _, object := range i.Others {
		byResource[strings.TrimSuffix(object.Resource, "s")]++
	}
	total, kinds := 0, []string{}
	for _, resource := range slices.Sorted(maps.Keys(byResource)) {
		total += byResource[resource]
		kinds = append(kinds, counted(byResource[resource], resource))
	}
	if total == 0 {
		return nil
	}
	return []string{counted(total, "object") + " that a user created: " + strings.Join(kinds, ", ")}
}
