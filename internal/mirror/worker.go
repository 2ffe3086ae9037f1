// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// event takes an event of the stream: it names an object, and that is queued.
func (s *syncer) event(e engine.Event) {
	s.noteEvent(e)
	s.connection.noteTime(e.At)
	s.mu.Lock()
	if _, waiting := s.arrived[e.Key]; !waiting && e.Key.ID != "" {
		s.arrived[e.Key] = s.clock.Now()
	}
	s.mu.Unlock()
	s.metrics.events.WithLabelValues(s.owner.String(), string(e.Key.Kind)).Inc()
	switch {
	case e.Lost != nil && e.Key.Kind == "":
		for _, kind := range engine.Kinds {
			s.lists.request(kind, s.pacer.delay(engine.Key{Kind: kind}))
		}
		return
	case e.All, e.Lost != nil:
		s.lists.request(e.Key.Kind, s.pacer.delay(engine.Key{Kind: e.Key.Kind}))
		return
	case e.Key.ID == "":
		return // it is about nothing
	case e.Gone:
		s.connection.removals.add(e.Key)
		s.patience.announced(e.Key)
		s.queue.Add(e.Key)
		return
	}
	s.connection.removals.take(e.Key) // it may be there again
	delay := s.pacer.delay(e.Key)
	if e.Passing {
		delay = max(delay, passing)
	}
	s.queue.AddAfter(e.Key, delay)
}

func (s *syncer) startWorker(kind engine.Kind) {
	s.workers.Go(func() { s.work(s.alive, kind) })
}

// work syncs one object of a kind after the other until the queue ends, or
// another worker has taken its place.
func (s *syncer) work(ctx context.Context, kind engine.Kind) {
	queue := s.queue[kind]
	for {
		key, shutdown := queue.Get()
		if shutdown {
			return
		}
		t := &turn{key: key, tries: queue.NumRequeues(key)}
		run, known := s.begin(key), s.table.newest(key)
		item := s.inspected.begin(key)
		err := s.sync(withTurn(ctx, t), key)
		s.finish(key, run, err != nil)
		switch {
		case err == nil:
			s.clearProblems(key)
			queue.Forget(key)
			s.inspected.finish(key, item, s.table.versionOf(key))
			s.requeueForeign(key, known)
		case ctx.Err() != nil:
		default:
			s.log.Debug("sync failed, will try again", "kind", key.Kind, "id", key.ID, "error", err)
			s.queue.retry(key)
		}
		s.finishInBatch(key)
		queue.Done(key)
		if s.patience.finish(t) {
			return
		}
	}
}

// clearProblems takes that an object was synced.
func (s *syncer) clearProblems(key engine.Key) {
	over := []string{containersv1alpha1.ReasonInspectFailed, containersv1alpha1.ReasonWriteRefused}
	isDeleted := func(m client.Object) bool { return m.GetDeletionTimestamp() != nil }
	if !slices.ContainsFunc(s.table.of(key), isDeleted) {
		// The mirror may have gone while its deletion failed, and be replaced.
		over = append(over, containersv1alpha1.ReasonDeletionFailed)
	}
	s.problems.clear(key, over...)
}

// silent takes that the engine has not answered for an object in problemGrace.
func (s *syncer) silent(key engine.Key) {
	s.connection.link.whileUp(func() {
		s.problems.add(key, containersv1alpha1.ReasonInspectFailed, fmt.Errorf("the engine has not answered for %s", problemGrace))
	})
	s.finishInBatch(key)
}

func (s *syncer) finishInBatch(key engine.Key) {
	if current := s.comparison(); current != nil {
		current.finish(key)
	}
}

// requeueForeign queues an object again if another client wrote one of its
// mirrors while it was synced: after the version that was known before.
func (s *syncer) requeueForeign(key engine.Key, known uint64) {
	for _, m := range s.table.of(key) {
		if s.table.foreign(nameOf(m)) && version(m) > known {
			s.queue.Add(key)
			return
		}
	}
}

// noteEvent records what an event is beside the name of an object: a prune, which
// names none, and one that could not be read. Both have all of the kind compared.
func (s *syncer) noteEvent(e engine.Event) {
	switch {
	case e.Key.ID != "":
	case e.All:
		s.connection.removals.add(e.Key)
	case e.Lost != nil:
		s.logLost(e)
	}
}

// lostPause is the time between two warnings about events that can't be read: an engine
// may send many.
const lostPause = time.Minute

func (s *syncer) logLost(e engine.Event) {
	s.mu.Lock()
	now := s.clock.Now()
	level := slog.LevelDebug
	if s.lostLogged.IsZero() || now.Sub(s.lostLogged) >= lostPause {
		level, s.lostLogged = slog.LevelWarn, now
	}
	s.mu.Unlock()
	s.log.Log(context.Background(), level, "an event of the engine can't be read: all of its kind is compared", "kind", e.Key.Kind, "error", e.Lost)
}
