// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is version v1alpha1 of the API group
// containers.rancherdesktop.io: a container engine, and the objects that mirror its
// containers, images, volumes and namespaces.
//
// +kubebuilder:object:generate=true
// +groupName=containers.rancherdesktop.io
package v1alpha1

import (
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this version of the group.
var GroupVersion = schema.GroupVersion{Group: "containers.rancherdesktop.io", Version: "v1alpha1"}

const (
	// EngineLabel is on every mirror; its value is the name of the
	// ContainerEngine that the mirror belongs to, in the same namespace.
	EngineLabel = "containers.rancherdesktop.io/engine"

	// ActionAnnotation on a Container requests one [Action].
	ActionAnnotation = "containers.rancherdesktop.io/action"

	// ForceAnnotation with the value "true" on a mirror makes its deletion a forced
	// remove in the engine.
	ForceAnnotation = "containers.rancherdesktop.io/force"

	// IDAnnotation holds the engine's name for the mirrored object: the ID of an
	// image, a container or a network, the name of a volume or a namespace.
	IDAnnotation = "containers.rancherdesktop.io/id"

	// NamespaceAnnotation holds the engine's name for the namespace that a container
	// or an image is in, if the engine has several.
	NamespaceAnnotation = "containers.rancherdesktop.io/namespace"

	// LabelsAnnotation records, as a JSON object, the labels of a mirror that are the
	// engine's. All others are the user's.
	LabelsAnnotation = "containers.rancherdesktop.io/labels"

	// OwnerAnnotation holds the UID of the ContainerEngine. It identifies a mirror
	// that has lost its owner reference.
	OwnerAnnotation = "containers.rancherdesktop.io/owner"

	// MirrorFinalizer is on every mirror: the controller removes it from a deleted
	// mirror when the engine has removed the object.
	MirrorFinalizer = "engine.rancherdesktop.io/mirror"
)

// MirrorResources returns the resources whose objects mirror an engine's.
func MirrorResources() []schema.GroupResource {
	var resources []schema.GroupResource
	for _, resource := range []string{"containers", "images", "volumes", "networks", "containernamespaces"} {
		resources = append(resources, schema.GroupResource{Group: GroupVersion.Group, Resource: resource})
	}
	return resources
}

// AddToScheme registers the types of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Container{}, &ContainerList{},
		&ContainerEngine{}, &ContainerEngineList{},
		&ContainerNamespace{}, &ContainerNamespaceList{},
		&ImagePullRequest{}, &ImagePullRequestList{},
		&Image{}, &ImageList{},
		&Network{}, &NetworkList{},
		&Volume{}, &VolumeList{},
	)
	v1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
