// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"maps"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/printable"
)

// event takes an event of the stream: it names an object, and that is queued.
func (s *Session) event(e engine.Event) {
	s.noteEvent(e)
	s.mu.Lock()
	s.lastEvent = e.At
	if _, waiting := s.arrived[e.Key]; !waiting {
		s.arrived[e.Key] = s.clock.Now()
	}
	s.mu.Unlock()
	s.metrics.events.WithLabelValues(s.owner.String(), string(e.Key.Kind)).Inc()
	if e.Gone {
		s.removals.add(e.Key)
		s.queue.Add(e.Key)
		return
	}
	delay := s.pacer.delay(e.Key)
	if e.Passing {
		delay = max(delay, passing)
	}
	if delay > 0 {
		s.queue.AddAfter(e.Key, delay)
		return
	}
	s.queue.Add(e.Key)
}

// work syncs one object after the other until the queue ends.
func (s *Session) work(ctx context.Context) {
	for {
		key, shutdown := s.queue.Get()
		if shutdown {
			return
		}
		run, known := s.begin(key), s.table.newest(key)
		item := s.inspected.begin(key)
		err := s.sync(ctx, key)
		s.finish(key, run, err != nil)
		switch {
		case err == nil:
			s.queue.Forget(key)
			s.inspected.finish(key, item, s.table.versionOf(key))
			s.requeueForeign(key, known)
		case ctx.Err() != nil:
		default:
			s.log.Debug("sync failed, will try again", "kind", key.Kind, "id", key.ID, "error", err)
			s.queue.AddRateLimited(key)
		}
		s.finishInBatch(key)
		s.queue.Done(key)
	}
}

func (s *Session) finishInBatch(key engine.Key) {
	s.mu.Lock()
	current := s.current
	s.mu.Unlock()
	if current != nil {
		current.finish(key)
	}
}

// requeueForeign queues an object again where somebody else wrote one of its
// mirrors while it was synced: after the version that was known before.
func (s *Session) requeueForeign(key engine.Key, known uint64) {
	for _, m := range s.table.of(key) {
		if s.table.foreign(nameOf(m)) && version(m) > known {
			s.queue.Add(key)
			return
		}
	}
}

func (s *Session) isBusy(key engine.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy[key] != nil
}

// tell tells of changed numbers of mirrors and of problems, a while after they
// changed: it must cost nothing for each single one.
func (s *Session) tell(ctx context.Context) {
	told := s.State()
	ticker := s.clock.NewTicker(countDelay)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			s.notices.tell(ctx)
			if now := s.State(); now.Problems != told.Problems || !maps.Equal(now.Counts, told.Counts) {
				told = now
				s.changed()
			}
		}
	}
}

// subject says what an object is called by people: by its name where it has one.
func (s *Session) subject(key engine.Key) string {
	if key.ID == "" {
		return "the list of " + string(key.Kind) + "s"
	}
	for _, m := range s.table.of(key) {
		if c, ok := m.(*containersv1alpha1.Container); ok && c.Status.Name != "" {
			return "container " + printable.Text(c.Status.Name, maxName)
		}
		if tag := tagOf(m); tag != "" {
			return "image " + printable.Text(tag, maxName)
		}
	}
	return string(key.Kind) + " " + printable.Text(key.ID, maxName)
}
