// SPDX-License-Identifier: Apache-2.0

// Package engine is what RDD needs of a container engine, whatever its kind.
// The interface is level-based: an event only names an object, and what is true
// of the object is asked for.
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
	KindContainer Kind = "container"
)

// Kinds has all kinds, in the order in which they are listed.
var Kinds = []Kind{KindNamespace, KindImage, KindVolume, KindContainer}

// Key names an object of an engine. An image is one object, however many tags
// it has.
type Key struct {
	Kind Kind
	// Namespace of the engine that a container or an image is in; empty where
	// the engine has but one, and its IDs do not repeat.
	Namespace string
	// ID of a container or an image; the name of a volume or a namespace. For
	// an image it may also be a reference, which stands for whatever image it
	// leads to at the time.
	ID string
}

// Errors that callers tell apart, with [errors.Is].
var (
	// ErrNotFound says that the engine has no such object.
	ErrNotFound = errors.New("not found in the engine")
	// ErrRefused says that the engine understood and will not: the object is in
	// use, or not in a state for it. The same again is of no use by itself.
	ErrRefused = errors.New("refused by the engine")
	// ErrFailed says that the engine answered that it could not, for a fault of its
	// own. It is said of removals.
	ErrFailed = errors.New("failed in the engine")
	// ErrProtocol says that what answers at the endpoint does not speak the protocol of
	// the engine's type.
	ErrProtocol = errors.New("wrong protocol")
)

// Denied is what errors say of a local engine whose socket the user may not use,
// in the words of Unix. Readers of a ContainerEngine's condition tell that by it.
const Denied = "permission denied"

// Info describes an engine.
type Info struct {
	// ID is the engine's name for itself, the same over restarts; empty where
	// the engine has none.
	ID string
	// HostName is what the engine calls its machine, and RootDir the directory
	// that it keeps its objects in; empty where it does not say. An ID alone may be
	// copied with the file that it is kept in.
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

// Event says that something happened to an object.
type Event struct {
	// Key names the object.
	Key Key
	// All says that it is about all objects of Key's kind, as engines do not name
	// what they prune. Key has no ID then; without All, a Key that has none names
	// nothing.
	All bool
	// At is the time on the engine's clock.
	At time.Time
	// Gone says that the engine removed the object.
	Gone bool
	// Passing says that most often another event follows in a moment: how the
	// object is between the two is not worth a look.
	Passing bool
	// Lost is why an event could not be read, of which only the kind is known;
	// the key has no ID then.
	Lost error
}

// Object is the state of an object: the field of its kind is set. Its status
// has everything but conditions whose transition times others know, and lists
// are sorted: the same state is always the same Object.
type Object struct {
	// Key is the object's, with its ID, whatever it was asked for by.
	Key Key
	// Affects is another object that the engine shows, or doesn't, because this
	// one came or went, of which it does not tell; the zero Key for none. It is
	// said once, and with an error, too.
	Affects Key

	Container *containersv1alpha1.ContainerStatus
	Volume    *containersv1alpha1.VolumeStatus
	Namespace *containersv1alpha1.ContainerNamespaceStatus
	// Images has the image once for each of its tags, or once with no tag.
	Images []containersv1alpha1.ImageStatus
}

// Item is an object as a list shows it, which may be less than all of it.
type Item struct {
	Key Key
	// Tags are those of an image.
	Tags []string
	// Current reports whether an object whose status is known could still be
	// this item. A false alarm costs an Inspect, a miss leaves a stale object:
	// in doubt it is false. now is the time on the engine's clock at which the
	// list was made.
	Current func(known Object, now time.Time) bool
	// Fingerprint stands for all that the list shows of the object but what changes
	// by itself: two items of one object with the same fingerprint are the same.
	// Nil, or 0, if there is none.
	Fingerprint func() uint64
	// Fits reports whether what changes by itself, such as for how long a container
	// has run, can be that of an object whose status is known. Nil if nothing does.
	Fits func(known Object, now time.Time) bool
}

// Secret is the Kubernetes Secret that a ContainerEngine names.
type Secret interface {
	// String is namespace/name, for errors.
	String() string
	// Read returns what it has now. The values must get into no log, status or
	// error.
	Read(ctx context.Context) (map[string][]byte, error)
}

// Refresher is an [Engine] whose connections are made with a [Secret].
type Refresher interface {
	// Refresh tells that the Secret has changed: calls from now on use
	// connections that were made with what it has now. What is under way goes on.
	Refresh()
}

// RemoveOptions say what to remove of an object, and how.
type RemoveOptions struct {
	// Tag is the tag of an image to remove; empty for an image without one.
	Tag string
	// Force asks for the engine's forced remove of an image or a volume, where it
	// has one. Containers are always removed by force.
	Force bool
}

// Engine is a connection to a container engine. All methods may be called at
// the same time, return when their context ends, and fail with what the
// connection failed with; [ErrNotFound] is never said of a lost connection.
type Engine interface {
	// Info asks the engine who it is.
	Info(ctx context.Context) (Info, error)

	// Watch calls sink for every event from since (on the engine's clock) on, in
	// order. It calls ready, perhaps more than once, when no event can be missed
	// any more, and returns when the stream breaks, always with an error.
	Watch(ctx context.Context, since time.Time, ready func(), sink func(Event)) error

	// List returns all objects of a kind, or an error and nothing. With a
	// [PartialError] it returns those that can be used. It may take as long as the
	// deadline of ctx allows.
	List(ctx context.Context, kind Kind) ([]Item, error)

	// Inspect returns the state of an object, which others may have been given
	// too: it is not to be changed.
	Inspect(ctx context.Context, key Key) (Object, error)

	// Remove removes a container (a running one too) or a volume. Of an image
	// it removes the tag, or the image where there is none. [ErrRefused] says
	// that it is in use. A namespace it removes where it is empty;
	// [errors.ErrUnsupported] says that this engine's are none to be removed.
	Remove(ctx context.Context, key Key, options RemoveOptions) error

	// Act does something to a container, and returns when the engine has done it.
	// [ErrRefused] says that the container is not in a state for it.
	Act(ctx context.Context, key Key, action containersv1alpha1.Action) error

	// Close ends the connection. What is under way fails.
	Close() error
}
