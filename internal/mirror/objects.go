// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// kinds has an empty object and an empty list of the mirrors of each kind of
// engine object.
var kinds = map[engine.Kind]struct {
	object func() client.Object
	list   func() client.ObjectList
}{
	engine.KindContainer: {func() client.Object { return &containersv1alpha1.Container{} }, func() client.ObjectList { return &containersv1alpha1.ContainerList{} }},
	engine.KindImage:     {func() client.Object { return &containersv1alpha1.Image{} }, func() client.ObjectList { return &containersv1alpha1.ImageList{} }},
	engine.KindVolume:    {func() client.Object { return &containersv1alpha1.Volume{} }, func() client.ObjectList { return &containersv1alpha1.VolumeList{} }},
	engine.KindNamespace: {func() client.Object { return &containersv1alpha1.ContainerNamespace{} }, func() client.ObjectList { return &containersv1alpha1.ContainerNamespaceList{} }},
}

// kindOf returns the kind of engine object that a mirror is of.
func kindOf(obj client.Object) engine.Kind {
	switch obj.(type) {
	case *containersv1alpha1.Container:
		return engine.KindContainer
	case *containersv1alpha1.Image:
		return engine.KindImage
	case *containersv1alpha1.Volume:
		return engine.KindVolume
	case *containersv1alpha1.ContainerNamespace:
		return engine.KindNamespace
	}
	return ""
}

// keyOf returns the key of what a mirror stands for.
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

// owner is who mirrors belong to.
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

// owns reports whether a mirror is the owner's: it has both its label and its
// UID. Everything else is none of the owner's business.
func (o owner) owns(obj client.Object) bool {
	if obj.GetNamespace() != o.namespace || obj.GetLabels()[containersv1alpha1.EngineLabel] != o.name {
		return false
	}
	return slices.ContainsFunc(obj.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.UID == o.reference.UID
	})
}

// meta returns the metadata of a mirror. The engine's ID is kept in an
// annotation where it is not the name, and so is its namespace.
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

// mirrorAnnotations are those that say what a mirror stands for, and whose it is.
func mirrorAnnotations() []string {
	return []string{containersv1alpha1.IDAnnotation, containersv1alpha1.NamespaceAnnotation, containersv1alpha1.OwnerAnnotation}
}

// damaged reports whether somebody took away from a mirror what makes it one, or
// put something else there.
func damaged(have, want client.Object) bool {
	return !controllerutil.ContainsFinalizer(have, containersv1alpha1.MirrorFinalizer) ||
		slices.ContainsFunc(mirrorAnnotations(), func(name string) bool {
			return have.GetAnnotations()[name] != want.GetAnnotations()[name]
		})
}

// namespaceOf returns the namespace of the engine that an object is in, empty
// where there is no object.
func namespaceOf(object engine.Object) string {
	switch {
	case object.Container != nil:
		return object.Container.Namespace
	case object.Volume != nil:
		return object.Volume.Namespace
	case object.Namespace != nil:
		return object.Namespace.Name
	case len(object.Images) > 0:
		return object.Images[0].Namespace
	}
	return ""
}

// unbounded returns the mirrors that an engine object should have, however large.
// namespace is the name of the ContainerNamespace of its namespace.
func (o owner) unbounded(object engine.Object, namespace string) []client.Object {
	key := object.Key
	switch {
	case object.Container != nil:
		status := *object.Container
		status.Namespace = namespace
		return []client.Object{&containersv1alpha1.Container{ObjectMeta: o.meta(o.containerName(key), key), Status: status}}
	case object.Volume != nil:
		status := *object.Volume
		status.Namespace = namespace
		return []client.Object{&containersv1alpha1.Volume{ObjectMeta: o.meta(containersv1alpha1.VolumeName(o.name, key.ID), key), Status: status}}
	case object.Namespace != nil:
		return []client.Object{&containersv1alpha1.ContainerNamespace{ObjectMeta: o.meta(namespace, key), Status: *object.Namespace}}
	}
	objects := make([]client.Object, 0, len(object.Images))
	for _, status := range object.Images {
		status.Namespace = namespace
		objects = append(objects, &containersv1alpha1.Image{ObjectMeta: o.meta(o.imageName(key, status.RepoTag), key), Status: status})
	}
	return objects
}

// containerName is the container's ID where no other container may have it, and
// Kubernetes takes it as a name, which it does but for simulated engines.
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

// namespaceName is the name that a ContainerNamespace should have.
func (o owner) namespaceName(namespace string) string {
	if len(validation.IsDNS1123Subdomain(namespace)) == 0 {
		return namespace
	}
	return containersv1alpha1.ContainerNamespaceName(o.name, namespace)
}

// engineObject returns what is known of an engine object from its mirrors.
func engineObject(key engine.Key, mirrors []client.Object) engine.Object {
	object := engine.Object{Key: key}
	for _, m := range mirrors {
		switch m := m.(type) {
		case *containersv1alpha1.Container:
			object.Container = &m.Status
		case *containersv1alpha1.Volume:
			object.Volume = &m.Status
		case *containersv1alpha1.ContainerNamespace:
			object.Namespace = &m.Status
		case *containersv1alpha1.Image:
			object.Images = append(object.Images, m.Status)
		}
	}
	return object
}

// withStatus returns have with the status of want, or nil where that changes
// nothing. What only the mirror knows is kept: what was done through it, and
// since when its conditions are as they are. It shares nothing with either: a
// client decodes the answer to a write into the arrays and maps of what it wrote,
// while others may read the same answer of the engine.
func withStatus(have, want client.Object, now time.Time) client.Object {
	updated := have.DeepCopyObject().(client.Object)
	switch u := updated.(type) {
	case *containersv1alpha1.Container:
		old := u.Status
		u.Status = want.(*containersv1alpha1.Container).Status
		u.Status.LastAction = old.LastAction
		u.Status.ObservedGeneration = old.ObservedGeneration
		u.Status.Conditions = mergeConditions(old.Conditions, u.Status.Conditions, now)
		if apiequality.Semantic.DeepEqual(old, u.Status) {
			return nil
		}
	case *containersv1alpha1.Image:
		old := u.Status
		u.Status = want.(*containersv1alpha1.Image).Status
		u.Status.Conditions = mergeConditions(old.Conditions, u.Status.Conditions, now)
		if apiequality.Semantic.DeepEqual(old, u.Status) {
			return nil
		}
	case *containersv1alpha1.Volume:
		old := u.Status
		u.Status = want.(*containersv1alpha1.Volume).Status
		u.Status.Conditions = mergeConditions(old.Conditions, u.Status.Conditions, now)
		if apiequality.Semantic.DeepEqual(old, u.Status) {
			return nil
		}
	case *containersv1alpha1.ContainerNamespace:
		old := u.Status
		u.Status = want.(*containersv1alpha1.ContainerNamespace).Status
		u.Status.Conditions = mergeConditions(old.Conditions, u.Status.Conditions, now)
		if apiequality.Semantic.DeepEqual(old, u.Status) {
			return nil
		}
	}
	return updated.DeepCopyObject().(client.Object)
}

// ownConditions are those that say what the engine has. Each other one of a mirror
// is written by who knows of it.
func ownConditions() []string {
	return []string{
		containersv1alpha1.ConditionRunning, containersv1alpha1.ConditionPaused, containersv1alpha1.ConditionRestarting,
		containersv1alpha1.ConditionOOMKilled, containersv1alpha1.ConditionDead, containersv1alpha1.ConditionTruncated,
	}
}

// mergeConditions gives the engine's conditions their transition times, and
// keeps those that are not the engine's.
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
