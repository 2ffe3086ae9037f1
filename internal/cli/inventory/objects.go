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

// Object identifies an object that a user created.
type Object struct{ Resource, Namespace, Name string }

// ours is the suffix of the API groups of RDD.
const ours = "rancherdesktop.io"

// transient are the resources that controllers create again. Most objects are mirrors of
// engine objects.
var transient = map[string]bool{
	"events": true, "leases": true, "hostinfos": true,
	"containers": true, "images": true, "volumes": true, "networks": true, "containernamespaces": true,
}

// resourceOf returns the resource of a store key: /registry, then the group, except for
// built-in kinds, then the resource.
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

// wanted reports whether the object of a store key may be a user's.
func wanted(key string) bool {
	resource := resourceOf(key)
	return resource.Resource != "" && !transient[resource.Resource]
}

// protobufPrefix is the prefix of stored objects of built-in kinds
// (k8s.io/apimachinery/pkg/runtime/serializer/protobuf).
var protobufPrefix = []byte("k8s\x00")

// takeStored adds an object in the store's encoding.
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

// typed returns the function that adds an object of a typed field from its JSON; nil for
// other resources.
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

// programs are the field managers of RDD.
var programs = []string{"rdd", "app-controller", "containers-controller", "lima-controller", "rdd-controller"}

// takeOther adds an object if a user created it and no other object owns it.
func (i *Inventory) takeOther(resource schema.GroupResource, meta *metav1.ObjectMeta) {
	own := func(entry metav1.ManagedFieldsEntry) bool { return !slices.Contains(programs, entry.Manager) }
	switch {
	case len(meta.OwnerReferences) > 0, transient[resource.Resource], meta.DeletionTimestamp != nil,
		system(meta.Namespace), resource.Resource == "namespaces" && system(meta.Name),
		strings.Contains(meta.Name, ours), // installed by RDD
		len(meta.ManagedFields) > 0 && !slices.ContainsFunc(meta.ManagedFields, own):
		return
	}
	i.Others = append(i.Others, Object{resource.Resource, meta.Namespace, meta.Name})
}

// system reports whether a namespace belongs to the control plane.
func system(namespace string) bool {
	return strings.HasPrefix(namespace, "kube-") || namespace == "rdd-system"
}

// counted returns a number with a noun in the singular or plural.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
