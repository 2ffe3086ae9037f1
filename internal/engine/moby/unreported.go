// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

const (
	// lookInterval is the pause between looks, at least, and lookPause that for each
	// container in the list: an engine spends a few hundredths of a processor on
	// them, however many there are.
	lookInterval = 500 * time.Millisecond
	lookPause    = 2 * time.Millisecond
	// lookFor is for how long looks go on after the last event that may announce a
	// change.
	lookFor = 15 * time.Second
)

// unreported finds the networks that stopped containers are connected to and
// disconnected from: Docker (20.10 and 29, as seen) has no event for that. A list of
// the stopped containers is compared with the one before, for a while after
// containers or networks came or went; at rest there is none.
type unreported struct {
	list func(context.Context) (map[string]uint64, error) // the networks of stopped containers, by ID
	sink func(engine.Event)
	woke chan struct{} // holds a value after an event

	mu    sync.Mutex
	fresh []string // guarded by mu; containers with an event since the last look
}

// see takes an event of the engine.
func (u *unreported) see(m events.Message) {
	container := m.Actor.Attributes["container"]
	switch {
	case m.Type == events.ContainerEventType && m.Action == events.ActionCreate:
		container = m.Actor.ID
	case m.Type != events.NetworkEventType:
		return
	}
	if container != "" {
		// It may have been mirrored otherwise since the last look.
		u.mu.Lock()
		u.fresh = append(u.fresh, container)
		u.mu.Unlock()
	}
	select {
	case u.woke <- struct{}{}:
	default:
	}
}

// run looks until ctx ends.
func (u *unreported) run(ctx context.Context) {
	var known map[string]uint64 // nil before the first look
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.woke:
		}
		for until := time.Now().Add(lookFor); time.Now().Before(until); {
			known = u.look(ctx, known)
			pause := max(lookInterval, time.Duration(len(known))*lookPause)
			select {
			case <-ctx.Done():
				return
			case <-u.woke:
				until = time.Now().Add(lookFor)
				// A burst of events brings no look forward.
				if !sleep(ctx, pause) {
					return
				}
			case <-time.After(pause):
			}
		}
		known = nil // what comes until the next event is for the next comparison
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// look reports the containers with other networks than are known, and returns the
// networks now. What fails is looked at again.
func (u *unreported) look(ctx context.Context, known map[string]uint64) map[string]uint64 {
	u.mu.Lock()
	fresh := u.fresh
	u.fresh = nil
	u.mu.Unlock()
	now, err := u.list(ctx)
	if err != nil {
		return known
	}
	for id, networks := range now {
		before, ok := known[id]
		if known != nil && (!ok || before != networks) || slices.Contains(fresh, id) {
			u.sink(engine.Event{Key: engine.Key{Kind: engine.KindContainer, ID: id}})
		}
	}
	return now
}

// stoppedNetworks returns what stands for the networks of each container that
// doesn't run.
func (e *Engine) stoppedNetworks(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found := map[string]uint64{}
	form := limits.List{What: "the engine's list of stopped containers", Size: limits.Containers}
	ctx = expect(ctx, answer{what: form.What, size: form.Size, consume: func(body io.Reader) error {
		return form.Read(body, func(text json.RawMessage) error {
			var c struct {
				ID              string `json:"Id"`
				NetworkSettings struct{ Networks map[string]json.RawMessage }
			}
			if limits.Unmarshal(text, &c) == nil && engine.CheckKey(engine.Key{Kind: engine.KindContainer, ID: c.ID}) == nil {
				found[c.ID] = engine.FingerprintOf(slices.Sorted(maps.Keys(c.NetworkSettings.Networks)))
			}
			return nil
		})
	}})
	_, err := e.api().ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("status", "created", "exited", "dead")})
	return found, translate(err)
}
