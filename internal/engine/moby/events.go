// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

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
			return event, true // of volumes it is all that is told
		}
		return event, event.Key.ID != "" && m.Action != events.ActionMount && m.Action != events.ActionUnmount
	case events.NetworkEventType:
		container := m.Actor.Attributes["container"]
		event.Key = engine.Key{Kind: engine.KindContainer, ID: container}
		return event, container != ""
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
