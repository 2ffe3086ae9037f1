// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// Kind is a kind of object in an engine.
type Kind string

// The kinds.
const (
	KindNamespace Kind = "namespace"
	KindImage     Kind = "image"
	KindVolume    Kind = "volume"
	KindNetwork   Kind = "network"
	KindContainer Kind = "container"
)

// Kinds has all kinds, in the order of their lists.
var Kinds = []Kind{KindNamespace, KindImage, KindVolume, KindNetwork, KindContainer}

// Key names an object of an engine. An image with several tags is one object.
type Key struct {
	Kind Kind
	// Namespace of the engine that a container or an image is in; empty if the
	// engine has only one, and its IDs are unique.
	Namespace string
	// ID of a container, an image or a network; the name of a volume or a namespace.
	// For an image it may also be a reference, which the engine resolves to an image.
	ID string
}

// Errors that callers distinguish with [errors.Is].
var (
	// ErrNotFound: the engine has no such object.
	ErrNotFound = errors.New("not found in the engine")
	// ErrRefused: the engine refused the request because the object is in use, or in
	// a wrong state. A retry without another change fails again.
	ErrRefused = errors.New("refused by the engine")
	// ErrFailed: a removal failed because of an internal error of the engine.
	ErrFailed = errors.New("failed in the engine")
	// ErrDenied says that the user may not use the socket of a local engine.
	ErrDenied = errors.New("permission denied")
	// ErrProtocol says that what answers at the endpoint does not speak the protocol of
	// the engine's type.
	ErrProtocol = errors.New("wrong protocol")
)

// Info describes an engine.
type Info struct {
	// ID identifies the engine across restarts; empty if the engine has none.
	ID string
	// HostName is the host name that the engine reports, and RootDir its data
	// directory; empty if it does not report them. The ID alone is in a file that may
	// be copied.
	HostName     string
	RootDir      string
	Version      string
	APIVersion   string
	OS           string
	Architecture string // as in GOARCH
	CPUs         int32
	Memory       int64 // bytes
	// Clock is the time on the engine's clock.
	Clock time.Time
}

// Event reports that an object may have changed.
type Event struct {
	// Key names the object.
	Key Key
	// All is true for an event about all objects of Key's kind, such as a prune,
	// which names no objects. Key has no ID then; without All, a Key without an ID
	// names nothing.
	All bool
	// At is the time on the engine's clock.
	At time.Time
	// Gone is true if the engine removed the object.
	Gone bool
	// Passing is true if another event most often follows in a moment: the state
	// between the two does not need an inspection.
	Passing bool
	// Lost is why an event could not be decoded; at most its kind is known, and the key
	// has no ID.
	Lost error
}

// Object is the state of an object: the field of its kind is set. The conditions of
// its status have no transition times, and lists are sorted: the same state is always
// the same Object.
type Object struct {
	// Key is the key of the object with its ID, even if it was inspected by a
	// reference.
	Key Key
	// Affects is another object that changed with this one without an event of its
	// own; the zero Key for none. It is reported once, also together with an error.
	Affects Key

	Container *containersv1alpha1.ContainerStatus
	Volume    *containersv1alpha1.VolumeStatus
	Network   *containersv1alpha1.NetworkStatus
	Namespace *containersv1alpha1.ContainerNamespaceStatus
	// Images has the image once for each of its tags, or once with no tag.
	Images []containersv1alpha1.ImageStatus
}

// Item is an object in a list, which may show only a part of it.
type Item struct {
	Key Key
	// Tags are the tags of an image.
	Tags []string
	// Current reports whether the known state of an object still agrees with the
	// item. If in doubt it returns false: a false negative costs an Inspect, a false
	// positive leaves a stale object. now is the time of the list on the engine's
	// clock.
	Current func(known Object, now time.Time) bool
	// Fingerprint is a hash of the item without the values that change by
	// themselves: two items of one object with the same fingerprint are equal. Nil,
	// or 0, if there is none.
	Fingerprint func() uint64
	// Fits reports whether the values that change by themselves, such as the uptime
	// of a container, agree with the known state. Nil if there are none.
	Fits func(known Object, now time.Time) bool
}

// Secret is the Kubernetes Secret that a ContainerEngine names.
type Secret interface {
	// String is namespace/name, for errors.
	String() string
	// Read returns the current content. The values must not appear in a log, a status
	// or an error.
	Read(ctx context.Context) (map[string][]byte, error)
}

// Refresher is an [Engine] whose connections use a [Secret].
type Refresher interface {
	// Refresh must be called when the Secret has changed: later calls use new
	// connections with its current content. Current calls continue.
	Refresh()
}

// RemoveOptions are the options of a removal.
type RemoveOptions struct {
	// Tag is the tag of an image to remove; empty for an image without one.
	Tag string
	// Force requests the engine's forced remove of an image or a volume, if it has
	// one. Containers are always removed by force.
	Force bool
}

// Engine is a connection to a container engine. All methods may be called
// concurrently, return when their context ends, and return the error of a failed
// connection; that is never [ErrNotFound].
type Engine interface {
	// Info returns the description and the identity of the engine.
	Info(ctx context.Context) (Info, error)

	// Watch calls sink for every event from since (on the engine's clock) on, in
	// order. It calls ready, perhaps more than once, when the stream has begun and
	// can't miss events. It returns when the stream breaks, always with an error.
	Watch(ctx context.Context, since time.Time, ready func(), sink func(Event)) error

	// List returns all objects of a kind, or an error. With a [PartialError] it
	// returns the usable ones. It is bounded by the deadline of ctx only.
	List(ctx context.Context, kind Kind) ([]Item, error)

	// Inspect returns the state of an object. Callers share it and must not change
	// it.
	Inspect(ctx context.Context, key Key) (Object, error)

	// Remove removes a container (also a running one), a volume, a network, a tag of an
	// image or an untagged image, or an empty namespace. The error is [ErrRefused] if the
	// object is in use, and [errors.ErrUnsupported] if the engine can't remove
	// namespaces.
	Remove(ctx context.Context, key Key, options RemoveOptions) error

	// Act executes an action on a container, and returns when the engine has finished
	// it. The error is [ErrRefused] if the container is in a wrong state.
	Act(ctx context.Context, key Key, action containersv1alpha1.Action) error

	// Close ends the connection. Current calls fail.
	Close() error
}
