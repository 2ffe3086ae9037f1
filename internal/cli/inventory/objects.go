// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// Object is one that a user made.
type Object struct{ Resource, Namespace, Name string }

// ours ends the names of the groups of RDD's own kinds.
const ours = "rancherdesktop.io"

// transient are the resources that come and go by themselves. Mirrors are more than
// all others together, and stand for what is in an engine.
var transient = map[string]bool{
	"events": true, "leases": true, "hostinfos": true,
	"containers": true, "images": true, "volumes": true, "networks": true, "containernamespaces": true,
}

// resourceOf returns the resource of a key of the store: /registry, then the group
// for all but built-in kinds, then the resource.
func resourceOf(key string) schema.GroupResource {
	parts := strings.Split(key, "/")
	switch {
	case len(parts) < 4: // "", registry, resource, name
		return schema.GroupResource{}
	case strings.Contains(parts[2], ".") && len(parts) > 4:
		return schema.GroupResource{Group: parts[2], Resource: parts[3]}
	}
	return schema.GroupResource{Resource: parts[2]}
}

// wanted reports whether the object of a key of the store may be one to be lost.
func wanted(key string) bool {
	resource := resourceOf(key)
	return resource.Resource != "" && !transient[resource.Resource]
}

// protobufPrefix begins the built-in kinds' objects in the store
// (k8s.io/apimachinery/pkg/runtime/serializer/protobuf).
var protobufPrefix = []byte("k8s\x00")

// takeStored takes an object as the store has it.
func (i *Inventory) takeStored(key string, value []byte) error {
	resource := resourceOf(key)
	if into := i.typed(resource); into != nil {
		return into(value)
	}
	var object metav1.PartialObjectMetadata
	if encoded, ok := bytes.CutPrefix(value, protobufPrefix); ok {
		var unknown runtime.Unknown
		if err := unknown.Unmarshal(encoded); err != nil {
			return err
		}
		// The metadata is the first field of all kinds.
		if err := object.Unmarshal(unknown.Raw); err != nil {
			return err
		}
	} else if err := json.Unmarshal(value, &object); err != nil {
		return err
	}
	i.takeOther(resource, &object.ObjectMeta)
	return nil
}

// typed returns what takes the JSON of an object of which more is to be known than
// that it is there; nil for others.
func (i *Inventory) typed(resource schema.GroupResource) func([]byte) error {
	switch resource {
	case appv1alpha1.GroupVersion.WithResource("apps").GroupResource():
		return func(data []byte) error {
			i.App = &appv1alpha1.App{}
			return json.Unmarshal(data, i.App)
		}
	case containersv1alpha1.GroupVersion.WithResource("containerengines").GroupResource():
		return func(data []byte) error {
			i.Engines = append(i.Engines, containersv1alpha1.ContainerEngine{})
			return json.Unmarshal(data, &i.Engines[len(i.Engines)-1])
		}
	case limav1alpha1.GroupVersion.WithResource("limavms").GroupResource():
		return func(data []byte) error {
			i.VMs = append(i.VMs, limav1alpha1.LimaVM{})
			return json.Unmarshal(data, &i.VMs[len(i.VMs)-1])
		}
	}
	return nil
}

// programs are the writers of the objects that RDD itself makes.
var programs = []string{"rdd", "app-controller", "containers-controller", "lima-controller", "rdd-controller"}

// takeOther takes an object if a user made it, and not for another object that owns
// it.
func (i *Inventory) takeOther(resource schema.GroupResource, meta *metav1.ObjectMeta) {
	own := func(entry metav1.ManagedFieldsEntry) bool { return !slices.Contains(programs, entry.Manager) }
	switch {
	case len(meta.OwnerReferences) > 0, transient[resource.Resource], meta.DeletionTimestamp != nil,
		system(meta.Namespace), resource.Resource == "namespaces" && system(meta.Name),
		strings.Contains(meta.Name, ours), // what a program of RDD's installs
		len(meta.ManagedFields) > 0 && !slices.ContainsFunc(meta.ManagedFields, own):
		return
	}
	i.Others = append(i.Others, Object{resource.Resource, meta.Namespace, meta.Name})
}

// system reports whether a namespace is the control plane's.
func system(namespace string) bool {
	return strings.HasPrefix(namespace, "kube-") || namespace == "rdd-system"
}

// counted returns a number of things, of which noun is one.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
