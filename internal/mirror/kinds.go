// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"errors"
	"reflect"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// mirrorKind is everything that depends on the kind of an engine object. A new
// kind is one entry of kinds, and its field in [engine.Object].
type mirrorKind struct {
	object func() client.Object
	list   func() client.ObjectList

	// workers is how many objects are synced at the same time, not counting those for
	// which the engine takes long.
	workers int
	// removedByEvent says that an event which reports the removal of an object is
	// enough to remove its mirrors. An engine reports the removal of an image by one
	// of several names, and an inspection also finds what else changed.
	removedByEvent bool
	// endsDeletion reports whether an answer of the engine ends the deletion of an
	// object that the engine still lists. It is nil for a kind whose removal is
	// forced, and retried until the engine has removed the object.
	endsDeletion func(error) bool

	// want returns the desired mirrors of an engine object, without bounds. namespace
	// is the name of its ContainerNamespace.
	want func(o owner, object engine.Object, namespace string) []client.Object
	// namespace returns the engine's namespace of an object; empty if the object
	// does not exist.
	namespace func(object engine.Object) string

	// uses returns the engine objects that m's object uses, which can't be removed
	// while it exists; nil for a kind that uses none.
	uses func(m client.Object) []engine.Key
	// usedAs returns the key by which the users of m's object know it; nil if that
	// is the object's own.
	usedAs func(m client.Object) engine.Key

	status statusKind
}

// statusKind handles the status of one kind of mirror, whatever its type.
type statusKind interface {
	conditions(m client.Object) *[]metav1.Condition
	// labels returns the engine's labels, perhaps not all of them.
	labels(m client.Object) map[string]string
	// title returns the object's name for users; empty if it is not known.
	title(m client.Object) string
	// bounds returns the fields that can be made smaller.
	bounds(m client.Object) ([]part, []timeField)
	// ages returns the fields createdAt and ageFrom of m; nil for a kind without
	// them.
	ages(m client.Object) (created, from **metav1.Time)
	// known sets the status of a mirror in an engine object.
	known(object *engine.Object, m client.Object)
	// replace sets the status of m to the status of want, and keeps the fields that are
	// not from the engine. It reports whether that changed m.
	replace(m, want client.Object, now time.Time) bool
}

// kinds has each mirrored kind.
var kinds = map[engine.Kind]mirrorKind{
	engine.KindContainer: {
		object:         func() client.Object { return &containersv1alpha1.Container{} },
		list:           func() client.ObjectList { return &containersv1alpha1.ContainerList{} },
		workers:        8,
		removedByEvent: true,
		want:           wantContainer,
		namespace:      func(object engine.Object) string { return statusOr(object.Container).Namespace },
		uses:           usedByContainer,
		status: typed[*containersv1alpha1.Container, containersv1alpha1.ContainerStatus]{
			of:           func(m *containersv1alpha1.Container) *containersv1alpha1.ContainerStatus { return &m.Status },
			conditionsOf: func(s *containersv1alpha1.ContainerStatus) *[]metav1.Condition { return &s.Conditions },
			labelsOf:     func(s *containersv1alpha1.ContainerStatus) map[string]string { return s.Labels },
			titleOf:      func(s *containersv1alpha1.ContainerStatus) string { return s.Name },
			agesOf: func(s *containersv1alpha1.ContainerStatus) (created, from **metav1.Time) {
				return &s.CreatedAt, &s.AgeFrom
			},
			partsOf: containerBounds,
			addTo:   func(object *engine.Object, s *containersv1alpha1.ContainerStatus) { object.Container = s },
			keep: func(updated *containersv1alpha1.ContainerStatus, old containersv1alpha1.ContainerStatus) {
				updated.LastAction, updated.ObservedGeneration = old.LastAction, old.ObservedGeneration
			},
		},
	},
	engine.KindImage: {
		object:       func() client.Object { return &containersv1alpha1.Image{} },
		list:         func() client.ObjectList { return &containersv1alpha1.ImageList{} },
		workers:      4,
		endsDeletion: func(err error) bool { return errors.Is(err, engine.ErrRefused) },
		want:         wantImages,
		namespace: func(object engine.Object) string {
			if len(object.Images) == 0 {
				return ""
			}
			return object.Images[0].Namespace
		},
		uses: namespaceOf,
		status: typed[*containersv1alpha1.Image, containersv1alpha1.ImageStatus]{
			of:           func(m *containersv1alpha1.Image) *containersv1alpha1.ImageStatus { return &m.Status },
			conditionsOf: func(s *containersv1alpha1.ImageStatus) *[]metav1.Condition { return &s.Conditions },
			labelsOf:     func(s *containersv1alpha1.ImageStatus) map[string]string { return s.Labels },
			titleOf:      func(s *containersv1alpha1.ImageStatus) string { return s.RepoTag },
			agesOf:       func(s *containersv1alpha1.ImageStatus) (created, from **metav1.Time) { return &s.CreatedAt, &s.AgeFrom },
			partsOf: func(s *containersv1alpha1.ImageStatus) ([]part, []timeField) {
				return imageParts(s), []timeField{{"createdAt", &s.CreatedAt}}
			},
			addTo: func(object *engine.Object, s *containersv1alpha1.ImageStatus) {
				object.Images = append(object.Images, *s)
			},
		},
	},
	engine.KindVolume: {
		object:         func() client.Object { return &containersv1alpha1.Volume{} },
		list:           func() client.ObjectList { return &containersv1alpha1.VolumeList{} },
		workers:        4,
		removedByEvent: true,
		endsDeletion:   func(err error) bool { return errors.Is(err, engine.ErrRefused) },
		want:           wantVolume,
		namespace:      func(object engine.Object) string { return statusOr(object.Volume).Namespace },
		status: typed[*containersv1alpha1.Volume, containersv1alpha1.VolumeStatus]{
			of:           func(m *containersv1alpha1.Volume) *containersv1alpha1.VolumeStatus { return &m.Status },
			conditionsOf: func(s *containersv1alpha1.VolumeStatus) *[]metav1.Condition { return &s.Conditions },
			labelsOf:     func(s *containersv1alpha1.VolumeStatus) map[string]string { return s.Labels },
			titleOf:      func(s *containersv1alpha1.VolumeStatus) string { return s.Name },
			agesOf: func(s *containersv1alpha1.VolumeStatus) (created, from **metav1.Time) {
				return &s.CreatedAt, &s.AgeFrom
			},
			partsOf: func(s *containersv1alpha1.VolumeStatus) ([]part, []timeField) {
				return volumeParts(s), []timeField{{"createdAt", &s.CreatedAt}}
			},
			addTo: func(object *engine.Object, s *containersv1alpha1.VolumeStatus) { object.Volume = s },
		},
	},
	engine.KindNetwork: {
		object:         func() client.Object { return &containersv1alpha1.Network{} },
		list:           func() client.ObjectList { return &containersv1alpha1.NetworkList{} },
		workers:        4,
		removedByEvent: true,
		endsDeletion:   func(err error) bool { return errors.Is(err, engine.ErrRefused) },
		want:           wantNetwork,
		namespace:      func(object engine.Object) string { return statusOr(object.Network).Namespace },
		usedAs:         networkUsedAs,
		status: typed[*containersv1alpha1.Network, containersv1alpha1.NetworkStatus]{
			of:           func(m *containersv1alpha1.Network) *containersv1alpha1.NetworkStatus { return &m.Status },
			conditionsOf: func(s *containersv1alpha1.NetworkStatus) *[]metav1.Condition { return &s.Conditions },
			labelsOf:     func(s *containersv1alpha1.NetworkStatus) map[string]string { return s.Labels },
			titleOf:      func(s *containersv1alpha1.NetworkStatus) string { return s.Name },
			agesOf: func(s *containersv1alpha1.NetworkStatus) (created, from **metav1.Time) {
				return &s.CreatedAt, &s.AgeFrom
			},
			partsOf: func(s *containersv1alpha1.NetworkStatus) ([]part, []timeField) {
				return networkParts(s), []timeField{{"createdAt", &s.CreatedAt}}
			},
			addTo: func(object *engine.Object, s *containersv1alpha1.NetworkStatus) { object.Network = s },
		},
	},
	engine.KindNamespace: {
		object:  func() client.Object { return &containersv1alpha1.ContainerNamespace{} },
		list:    func() client.ObjectList { return &containersv1alpha1.ContainerNamespaceList{} },
		workers: 1,
		endsDeletion: func(err error) bool {
			return errors.Is(err, engine.ErrRefused) || errors.Is(err, errors.ErrUnsupported)
		},
		want:      wantNamespace,
		namespace: func(object engine.Object) string { return statusOr(object.Namespace).Name },
		status: typed[*containersv1alpha1.ContainerNamespace, containersv1alpha1.ContainerNamespaceStatus]{
			of: func(m *containersv1alpha1.ContainerNamespace) *containersv1alpha1.ContainerNamespaceStatus {
				return &m.Status
			},
			conditionsOf: func(s *containersv1alpha1.ContainerNamespaceStatus) *[]metav1.Condition { return &s.Conditions },
			labelsOf:     func(s *containersv1alpha1.ContainerNamespaceStatus) map[string]string { return s.Labels },
			partsOf: func(s *containersv1alpha1.ContainerNamespaceStatus) ([]part, []timeField) {
				return namespaceParts(s), nil
			},
			addTo: func(object *engine.Object, s *containersv1alpha1.ContainerNamespaceStatus) { object.Namespace = s },
		},
	},
}

// byType finds the kind of a mirror by its Go type.
var byType = func() map[reflect.Type]engine.Kind {
	types := map[reflect.Type]engine.Kind{}
	for kind, entry := range kinds {
		types[reflect.TypeOf(entry.object())] = kind
	}
	return types
}()

// kindOf returns the kind of engine object that a mirror is of; empty for none.
func kindOf(m client.Object) engine.Kind { return byType[reflect.TypeOf(m)] }

// conditionsOf returns the conditions of a mirror, for changes.
func conditionsOf(m client.Object) *[]metav1.Condition { return kinds[kindOf(m)].status.conditions(m) }

// titleOf returns the name for users of a mirror's object; empty if it is not known.
func titleOf(m client.Object) string { return kinds[kindOf(m)].status.title(m) }

// engineObject returns an engine object as its mirrors show it.
func engineObject(key engine.Key, mirrors []client.Object) engine.Object {
	object := engine.Object{Key: key}
	for _, m := range mirrors {
		kinds[key.Kind].status.known(&object, m)
	}
	return object
}

// withStatus returns have with the status of want, or nil if that changes nothing. It
// keeps the fields that are not from the engine: lastAction, and the transition times
// of conditions. It is a deep copy: a client decodes the answer to a write into the
// arrays and maps of the written object, while others may read the engine's answer.
func withStatus(have, want client.Object, now time.Time) client.Object {
	updated := have.DeepCopyObject().(client.Object)
	if !kinds[kindOf(have)].status.replace(updated, want, now) {
		return nil
	}
	return updated.DeepCopyObject().(client.Object)
}

// typed accesses the fields of a status of type S in a mirror of type O.
type typed[O client.Object, S any] struct {
	of           func(O) *S
	conditionsOf func(*S) *[]metav1.Condition
	labelsOf     func(*S) map[string]string
	titleOf      func(*S) string // nil if there is no title
	partsOf      func(*S) ([]part, []timeField)
	agesOf       func(*S) (created, from **metav1.Time) // nil if there are none
	addTo        func(*engine.Object, *S)
	// keep copies the fields that are not from the engine, but for conditions, from the
	// old status; nil if there are none.
	keep func(updated *S, old S)
}

func (t typed[O, S]) conditions(m client.Object) *[]metav1.Condition {
	return t.conditionsOf(t.of(m.(O)))
}

func (t typed[O, S]) labels(m client.Object) map[string]string { return t.labelsOf(t.of(m.(O))) }

func (t typed[O, S]) title(m client.Object) string {
	if t.titleOf == nil {
		return ""
	}
	return t.titleOf(t.of(m.(O)))
}

func (t typed[O, S]) bounds(m client.Object) ([]part, []timeField) { return t.partsOf(t.of(m.(O))) }

func (t typed[O, S]) ages(m client.Object) (created, from **metav1.Time) {
	if t.agesOf == nil {
		return nil, nil
	}
	return t.agesOf(t.of(m.(O)))
}

func (t typed[O, S]) known(object *engine.Object, m client.Object) { t.addTo(object, t.of(m.(O))) }

func (t typed[O, S]) replace(m, want client.Object, now time.Time) bool {
	status := t.of(m.(O))
	old := *status
	*status = *t.of(want.(O))
	if t.keep != nil {
		t.keep(status, old)
	}
	conditions := t.conditionsOf(status)
	*conditions = mergeConditions(*t.conditionsOf(&old), *conditions, now)
	return !apiequality.Semantic.DeepEqual(old, *status)
}

// statusOr returns a status, or an empty one for none.
func statusOr[S any](status *S) S {
	if status == nil {
		return *new(S)
	}
	return *status
}
