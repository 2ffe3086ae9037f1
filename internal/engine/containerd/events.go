// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd/api/events"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/protobuf/proto"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// knockTopic and knockNamespace are for an event that this engine sends itself:
	// its arrival is the only sign that the stream has begun.
	knockTopic     = "/rdd/watching"
	knockNamespace = "rdd"
	knockPause     = 20 * time.Millisecond
	// knockLimit is how long the first event may take.
	knockLimit = callTimeout
)

// topics are the topics of events that may change a mirror. Some events are about
// additional processes in a container, see taskEnd.
var topics = []string{
	"/containers/create", "/containers/update", "/containers/delete",
	"/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete", "/tasks/paused", "/tasks/resumed",
	"/images/create", "/images/update", "/images/delete",
	"/namespaces/create", "/namespaces/update", "/namespaces/delete",
	knockTopic,
}

// Watch implements [engine.Engine]. containerd keeps no events: a comparison finds
// changes from before ready.
func (e *Engine) Watch(ctx context.Context, _ time.Time, ready func(), sink func(engine.Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.names.reset()
	defer e.trustEvents(false)
	filters := make([]string, len(topics))
	for i, topic := range topics {
		filters[i] = fmt.Sprintf("topic==%q", topic)
	}
	stream, err := e.events.Subscribe(ctx, &eventsapi.SubscribeRequest{Filters: filters}, ofStream())
	if err != nil {
		return e.translate(err)
	}
	var begun atomic.Bool
	var knocking sync.WaitGroup
	defer knocking.Wait()
	defer cancel(nil)
	knocking.Go(func() {
		if err := e.knock(ctx, &begun); err != nil {
			cancel(err) // otherwise the stream would never be ready
		}
	})
	for {
		envelope, err := stream.Recv()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return e.translate(err)
		}
		if !begun.Swap(true) {
			e.trustEvents(true)
			ready()
		}
		keys, err := e.subjects(envelope)
		if err != nil { // a comparison finds the change
			sink(engine.Event{Key: engine.Key{Kind: groupKind(envelope)}, At: envelope.GetTimestamp().AsTime(), Lost: err})
		}
		for _, key := range keys {
			if engine.CheckKey(key) != nil {
				continue // the key is invalid
			}
			sink(engine.Event{Key: key, At: envelope.GetTimestamp().AsTime(), Gone: gone(envelope, key), Passing: passing(envelope)})
		}
	}
}

// knock sends events until the first one has arrived.
func (e *Engine) knock(ctx context.Context, begun *atomic.Bool) error {
	payload, err := pack(&events.NamespaceUpdate{Name: knockNamespace})
	if err != nil {
		return err
	}
	ticker, limit := time.NewTicker(knockPause), time.NewTimer(knockLimit)
	defer ticker.Stop()
	defer limit.Stop()
	for !begun.Load() {
		if _, err := e.events.Publish(in(ctx, knockNamespace), &eventsapi.PublishRequest{Topic: knockTopic, Event: payload}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return errors.New("containerd delivers no events")
		case <-ticker.C:
		}
	}
	return nil
}

// trustEvents records whether there is an event stream.
func (e *Engine) trustEvents(streaming bool) {
	e.records.trust(streaming)
	e.targets.trust(streaming)
}

// gone reports whether an event means that the object with the key was removed. The
// removal of a task does not remove its container, nor the removal of a name its
// image.
func gone(envelope *types.Envelope, key engine.Key) bool {
	return strings.HasSuffix(envelope.GetTopic(), "/delete") && key.Kind != engine.KindImage && !strings.HasPrefix(envelope.GetTopic(), "/tasks/")
}

// passing reports whether another event follows soon: a created task is started, and
// after a deleted task the container is removed or gets a new task.
func passing(envelope *types.Envelope) bool {
	return envelope.GetTopic() == "/tasks/create" || envelope.GetTopic() == "/tasks/delete"
}

// groupKind returns the kind of the objects of a group of events.
func groupKind(envelope *types.Envelope) engine.Kind {
	switch {
	case strings.HasPrefix(envelope.GetTopic(), "/images/"):
		return engine.KindImage
	case strings.HasPrefix(envelope.GetTopic(), "/namespaces/"):
		return engine.KindNamespace
	}
	return engine.KindContainer
}

// subjects returns the objects of an event. It fails if the event can't be decoded.
func (e *Engine) subjects(envelope *types.Envelope) ([]engine.Key, error) {
	container := func(id string) []engine.Key {
		return []engine.Key{{Kind: engine.KindContainer, Namespace: envelope.GetNamespace(), ID: id}}
	}
	unmarshal := func(into proto.Message) error {
		if err := proto.Unmarshal(envelope.GetEvent().GetValue(), into); err != nil {
			return fmt.Errorf("decode an event of containerd about %s: %w", groupKind(envelope), err)
		}
		return nil
	}
	// All events of a group have the ID of the object in the same field.
	switch group, _, _ := strings.Cut(strings.TrimPrefix(envelope.GetTopic(), "/"), "/"); group {
	case "containers":
		var event events.ContainerDelete
		if err := unmarshal(&event); err != nil {
			e.records.clear()
			return nil, err
		}
		e.records.forget(envelope.GetNamespace(), event.GetID())
		return container(event.GetID()), nil
	case "tasks":
		if envelope.GetTopic() == "/tasks/exit" || envelope.GetTopic() == "/tasks/delete" {
			return e.taskEnd(envelope, unmarshal, container)
		}
		var event events.TaskPaused
		err := unmarshal(&event)
		return container(event.GetContainerID()), err
	case "images":
		var event events.ImageDelete
		if err := unmarshal(&event); err != nil {
			e.targets.clear()
			return nil, err
		}
		return e.imageSubjects(envelope.GetNamespace(), event.GetName()), nil
	case "namespaces":
		var event events.NamespaceDelete
		err := unmarshal(&event)
		return []engine.Key{{Kind: engine.KindNamespace, ID: event.GetName()}}, err
	}
	return nil, nil
}

// taskEnd ignores the exits of additional processes in a container.
func (e *Engine) taskEnd(
	envelope *types.Envelope, unmarshal func(proto.Message) error, container func(string) []engine.Key,
) ([]engine.Key, error) {
	var id, process string
	var err error
	if envelope.GetTopic() == "/tasks/exit" {
		var event events.TaskExit
		err = unmarshal(&event)
		id, process = event.GetContainerID(), event.GetID()
	} else {
		var event events.TaskDelete
		err = unmarshal(&event)
		id, process = event.GetContainerID(), event.GetID()
	}
	if err != nil || (process != "" && process != id) {
		return nil, err
	}
	return container(id), nil
}

// imageSubjects returns a name, which the inspection resolves to an image, and the
// image that had the name before.
func (e *Engine) imageSubjects(namespace, name string) []engine.Key {
	e.targets.forget(namespace, name)
	keys := []engine.Key{{Kind: engine.KindImage, Namespace: namespace, ID: name}}
	if before := e.names.take(namespace, name); before != "" {
		keys = append(keys, engine.Key{Kind: engine.KindImage, Namespace: namespace, ID: before})
	}
	return slices.Clip(keys)
}
