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
	// knockTopic and knockNamespace are those of an event of our own: that it
	// comes back is the only sign that the stream has begun.
	knockTopic     = "/rdd/watching"
	knockNamespace = "rdd"
	knockPause     = 20 * time.Millisecond
	// knockLimit is when a containerd that answers, and sends no events, is given
	// up.
	knockLimit = callTimeout
)

// topics are those of which something in a mirror may change. Processes that
// are executed in a container beside its own tell of themselves too.
var topics = []string{
	"/containers/create", "/containers/update", "/containers/delete",
	"/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete", "/tasks/paused", "/tasks/resumed",
	"/images/create", "/images/update", "/images/delete",
	"/namespaces/create", "/namespaces/update", "/namespaces/delete",
	knockTopic,
}

// Watch implements [engine.Engine]. containerd keeps no events: what happened
// before ready is for a comparison to find.
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
			cancel(err) // else the stream would never be ready
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
		if err != nil { // what it was about is found by a comparison
			sink(engine.Event{Key: engine.Key{Kind: groupKind(envelope)}, At: envelope.GetTimestamp().AsTime(), Lost: err})
		}
		for _, key := range keys {
			if engine.CheckKey(key) != nil {
				continue // there can be no such object
			}
			sink(engine.Event{Key: key, At: envelope.GetTimestamp().AsTime(), Gone: gone(envelope, key), Passing: passing(envelope)})
		}
	}
}

// knock sends events to ourselves until the first one has come.
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
			return errors.New("containerd ended the event stream")
		case <-ticker.C:
		}
	}
	return nil
}

// trustEvents says whether events come from now on.
func (e *Engine) trustEvents(come bool) {
	e.records.trust(come)
	e.targets.trust(come)
}

// gone reports whether an event says that what has the key is gone: a task's
// does not say it of its container, nor a name's of its image.
func gone(envelope *types.Envelope, key engine.Key) bool {
	return strings.HasSuffix(envelope.GetTopic(), "/delete") && key.Kind != engine.KindImage && !strings.HasPrefix(envelope.GetTopic(), "/tasks/")
}

// passing reports whether an event is of a step on a way: a task that is made is
// started next, and after one that is deleted comes its container's end, or a new
// one.
func passing(envelope *types.Envelope) bool {
	return envelope.GetTopic() == "/tasks/create" || envelope.GetTopic() == "/tasks/delete"
}

// groupKind returns the kind of what the events of a group are about.
func groupKind(envelope *types.Envelope) engine.Kind {
	switch {
	case strings.HasPrefix(envelope.GetTopic(), "/images/"):
		return engine.KindImage
	case strings.HasPrefix(envelope.GetTopic(), "/namespaces/"):
		return engine.KindNamespace
	}
	return engine.KindContainer
}

// subjects returns what an event is about. An error says that it can't be read.
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
	// All events of a group have what they are about in the same field.
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

// taskEnd leaves out the ends of processes that were executed beside the
// container's own.
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

// imageSubjects returns the image that a name leads to, whichever that is, and
// the one that it led to before.
func (e *Engine) imageSubjects(namespace, name string) []engine.Key {
	e.targets.forget(namespace, name)
	keys := []engine.Key{{Kind: engine.KindImage, Namespace: namespace, ID: name}}
	if before := e.names.take(namespace, name); before != "" {
		keys = append(keys, engine.Key{Kind: engine.KindImage, Namespace: namespace, ID: before})
	}
	return slices.Clip(keys)
}
