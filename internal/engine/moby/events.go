// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// Watch implements [engine.Engine].
func (e *Engine) Watch(ctx context.Context, since time.Time, ready func(), sink func(engine.Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer e.ended.Store(true)
	// The stream itself may be silent for ever, but not the answer that begins it.
	begun := time.AfterFunc(callTimeout, func() {
		cancel(fmt.Errorf("the engine does not start its event stream: %w", context.DeadlineExceeded))
	})
	defer begun.Stop()
	looks := &unreported{list: e.stoppedNetworks, sink: sink, woke: make(chan struct{}, 1)}
	var looking sync.WaitGroup
	defer looking.Wait()
	if !e.podman.Load() { // which has events for them
		looking.Go(func() { looks.run(ctx) }) // ends with ctx
	}
	defer cancel(nil)
	consume := func(body io.Reader) error {
		begun.Stop()
		ready()
		messages := limits.NewMessages(body, "an event of the engine", e.stall, cancel)
		for {
			message, err := messages.Next()
			if err != nil {
				return err
			}
			if event, ok := decodeEvent(message, looks.see); ok {
				sink(event)
			}
		}
	}
	// Events returns when the stream has ended.
	stream := e.api().Events(expect(ctx, answer{what: "the engine's event stream", endless: true, consume: consume}), client.EventsListOptions{
		// Seconds and nanoseconds since 1970.
		Since: fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()),
		Filters: make(client.Filters).Add("type", string(events.ContainerEventType), string(events.ImageEventType),
			string(events.VolumeEventType), string(events.NetworkEventType)),
	})
	err := translate(<-stream.Err)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errors.New("the engine ended the event stream")
	}
	return err
}

// decodeEvent tells which object an event is about. Of one that can't be read
// only its kind is known, all of which is then to be compared. see is called with
// what could be read.
func decodeEvent(text json.RawMessage, see func(events.Message)) (engine.Event, bool) {
	var message events.Message
	if err := json.Unmarshal(text, &message); err != nil {
		kind := map[events.Type]engine.Kind{
			events.ContainerEventType: engine.KindContainer, events.ImageEventType: engine.KindImage, events.VolumeEventType: engine.KindVolume,
		}[message.Type] // none, which is all: a network's event is about its containers too
		return engine.Event{Key: engine.Key{Kind: kind}, Lost: fmt.Errorf("decode an event of the engine: %w", err)}, true
	}
	see(message)
	event, ok := convertEvent(message)
	if !ok || (event.Key.ID == "" && message.Action == events.ActionPrune) {
		return event, ok
	}
	// Another one names no object that there can be.
	return event, engine.CheckKey(event.Key) == nil
}

// convertEvent tells which object a message is about. Many are about none: the
// start of a health check is an event, and changes nothing.
func convertEvent(m events.Message) (engine.Event, bool) {
	event := engine.Event{At: messageTime(m)}
	switch m.Type {
	case events.ContainerEventType:
		if image := m.Actor.Attributes["imageID"]; m.Action == events.ActionCommit && image != "" {
			// An image without a tag has no other event.
			event.Key = engine.Key{Kind: engine.KindImage, ID: image}
			return event, true
		}
		event.Key = engine.Key{Kind: engine.KindContainer, ID: m.Actor.ID}
		event.Gone = m.Action == events.ActionDestroy || m.Action == events.ActionRemove
		return event, changesContainer(m.Action)
	case events.ImageEventType:
		return imageEvent(event, m)
	case events.VolumeEventType:
		event.Key = engine.Key{Kind: engine.KindVolume, ID: m.Actor.ID}
		if event.Key.ID == "" {
			event.Key.ID = m.Actor.Attributes[podmanName]
		}
		event.Gone = m.Action == events.ActionDestroy || m.Action == events.ActionRemove
		if m.Action == events.ActionPrune {
			event.Key.ID, event.All = "", true // the only event for pruned volumes
			return event, true
		}
		return event, event.Key.ID != "" && m.Action != events.ActionMount && m.Action != events.ActionUnmount
	case events.NetworkEventType:
		return networkEvent(event, m)
	}
	return event, false
}

func imageEvent(event engine.Event, m events.Message) (engine.Event, bool) {
	event.Key = engine.Key{Kind: engine.KindImage, ID: m.Actor.ID}
	event.Gone = m.Action == events.ActionDelete
	if id, ok := podmanImageID(m.Actor.ID); ok {
		// It also says that it deletes an image which loses one of its tags.
		event.Key.ID, event.Gone = id, false
	}
	// An image that is pushed has one digest more then.
	return event, m.Actor.ID != "" && m.Action != events.ActionSave
}

func changesContainer(action events.Action) bool {
	switch action {
	case events.ActionCreate, events.ActionStart, events.ActionRestart, events.ActionStop,
		events.ActionPause, events.ActionUnPause, events.ActionUpdate, events.ActionRename,
		events.ActionDie, events.ActionOOM, events.ActionDestroy, events.ActionRemove,
		events.ActionHealthStatus, events.ActionHealthStatusRunning,
		events.ActionHealthStatusHealthy, events.ActionHealthStatusUnhealthy,
		podmanInit, podmanCleanup:
		return true
	}
	return false
}

func messageTime(m events.Message) time.Time {
	if m.TimeNano == 0 {
		return time.Unix(m.Time, 0)
	}
	return time.Unix(0, m.TimeNano)
}
