// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// keyOf returns the key of a mirror's engine object.
func keyOf(obj client.Object) engine.Key {
	annotations := obj.GetAnnotations()
	key := engine.Key{
		Kind:      kindOf(obj),
		Namespace: annotations[containersv1alpha1.NamespaceAnnotation],
		ID:        annotations[containersv1alpha1.IDAnnotation],
	}
	if key.ID == "" {
		key.ID = obj.GetName()
	}
	return key
}

// owner is the ContainerEngine that owns mirrors.
type owner struct {
	namespace string // of the ContainerEngine and of its mirrors
	name      string
	reference metav1.OwnerReference
}

func newOwner(e *containersv1alpha1.ContainerEngine) owner {
	return owner{
		namespace: e.Namespace,
		name:      e.Name,
		reference: *metav1.NewControllerRef(e, containersv1alpha1.GroupVersion.WithKind("ContainerEngine")),
	}
}

// String names the ContainerEngine.
func (o owner) String() string { return o.namespace + "/" + o.name }

// owns reports whether an object is a mirror of the owner: it has its label and its
// owner reference. The controller ignores all other objects.
func (o owner) owns(obj client.Object) bool {
	if obj.GetNamespace() != o.namespace || obj.GetLabels()[containersv1alpha1.EngineLabel] != o.name {
		return false
	}
	return slices.ContainsFunc(obj.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.UID == o.reference.UID
	})
}

// meta returns the metadata of a mirror. Annotations have the engine's ID, if it is
// not the name, and the engine's namespace.
func (o owner) meta(name string, key engine.Key) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Name:            name,
		Namespace:       o.namespace,
		Labels:          map[string]string{containersv1alpha1.EngineLabel: o.name},
		OwnerReferences: []metav1.OwnerReference{o.reference},
		Finalizers:      []string{containersv1alpha1.MirrorFinalizer},
		Annotations:     map[string]string{containersv1alpha1.OwnerAnnotation: string(o.reference.UID)},
	}
	if key.ID != name {
		m.Annotations[containersv1alpha1.IDAnnotation] = key.ID
	}
	if key.Namespace != "" {
		m.Annotations[containersv1alpha1.NamespaceAnnotation] = key.Namespace
	}
	return m
}

// mirrorAnnotations are the annotations that identify a mirror's object and owner.
func mirrorAnnotations() []string {
	return []string{containersv1alpha1.IDAnnotation, containersv1alpha1.NamespaceAnnotation, containersv1alpha1.OwnerAnnotation}
}

// damaged reports whether a client removed or changed the finalizer or the
// annotations of a mirror.
func damaged(have, want client.Object) bool {
	return !controllerutil.ContainsFinalizer(have, containersv1alpha1.MirrorFinalizer) ||
		slices.ContainsFunc(mirrorAnnotations(), func(name string) bool {
			return have.GetAnnotations()[name] != want.GetAnnotations()[name]
		})
}

// wantContainer is [mirrorKind.want] of containers.
func wantContainer(o owner, object engine.Object, namespace string) []client.Object {
	if object.Container == nil {
		return nil
	}
	status := *object.Container
	status.Namespace = namespace
	return []client.Object{&containersv1alpha1.Container{ObjectMeta: o.meta(o.containerName(object.Key), object.Key), Status: status}}
}

// wantImages is [mirrorKind.want] of images.
func wantImages(o owner, object engine.Object, namespace string) []client.Object {
	objects := make([]client.Object, 0, len(object.Images))
	for _, status := range object.Images {
		status.Namespace = namespace
		objects = append(objects, &containersv1alpha1.Image{ObjectMeta: o.meta(o.imageName(object.Key, status.RepoTag), object.Key), Status: status})
	}
	return objects
}

// wantVolume is [mirrorKind.want] of volumes.
func wantVolume(o owner, object engine.Object, namespace string) []client.Object {
	if object.Volume == nil {
		return nil
	}
	status := *object.Volume
	status.Namespace = namespace
	return []client.Object{&containersv1alpha1.Volume{ObjectMeta: o.meta(containersv1alpha1.VolumeName(o.name, object.Key.ID), object.Key), Status: status}}
}

// wantNamespace is [mirrorKind.want] of namespaces.
func wantNamespace(o owner, object engine.Object, namespace string) []client.Object {
	if object.Namespace == nil {
		return nil
	}
	return []client.Object{&containersv1alpha1.ContainerNamespace{ObjectMeta: o.meta(namespace, object.Key), Status: *object.Namespace}}
}

// containerName is the container's ID, or a hash if the engine has namespaces, or if
// the ID is not a valid name in Kubernetes (only simulated engines have such IDs).
func (o owner) containerName(key engine.Key) string {
	switch {
	case key.Namespace != "":
		return containersv1alpha1.NamespacedContainerName(o.name, key.Namespace, key.ID)
	case len(validation.IsDNS1123Subdomain(key.ID)) == 0:
		return key.ID
	}
	return containersv1alpha1.ContainerName(o.name, key.ID)
}

func (o owner) imageName(key engine.Key, tag string) string {
	if key.Namespace != "" {
		return containersv1alpha1.NamespacedImageName(o.name, key.Namespace, key.ID, tag)
	}
	return containersv1alpha1.ImageName(o.name, key.ID, tag)
}

// namespaceName is the preferred name of a ContainerNamespace.
func (o owner) namespaceName(namespace string) string {
	if len(validation.IsDNS1123Subdomain(namespace)) == 0 {
		return namespace
	}
	return containersv1alpha1.ContainerNamespaceName(o.name, namespace)
}

// ownConditions are the conditions with the state of the engine object. Other
// conditions of a mirror have other writers.
func ownConditions() []string {
	return []string{
		containersv1alpha1.ConditionRunning, containersv1alpha1.ConditionPaused, containersv1alpha1.ConditionRestarting,
		containersv1alpha1.ConditionOOMKilled, containersv1alpha1.ConditionDead, containersv1alpha1.ConditionTruncated,
	}
}

// mergeConditions sets the transition times of the engine's conditions, and keeps all
// other conditions.
func mergeConditions(old, want []metav1.Condition, now time.Time) []metav1.Condition {
	var merged []metav1.Condition
	for _, condition := range want {
		condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
		if known := apimeta.FindStatusCondition(old, condition.Type); known != nil && known.Status == condition.Status {
			condition.LastTransitionTime = known.LastTransitionTime
		}
		merged = append(merged, condition)
	}
	for _, condition := range old {
		if !slices.Contains(ownConditions(), condition.Type) {
			merged = append(merged, condition)
		}
	}
	return merged
}
