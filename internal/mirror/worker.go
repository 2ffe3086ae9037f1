// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		comparison := s.comparison()
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
		s.finishInBatch(comparison, key, err)
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
	if current := s.comparison(); current != nil {
		current.finish(key)
	}
}

// finishInBatch takes an object out of a comparison that was synced for it: when that
// has succeeded or, so that one object does not hold up all, when it is said what
// failed. Until then the retries are part of the comparison: else an engine would be
// said to be mirrored while a mirror is missing that nothing is said of.
func (s *syncer) finishInBatch(b *batch, key engine.Key, failure error) {
	switch {
	case b == nil || !b.has(key):
	case failure == nil || errors.As(failure, new(*actError)) || s.problems.anyOf(key):
		b.finish(key)
	default:
		s.clock.AfterFunc(problemGrace, func() { b.finish(key) })
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
		s.log.Debug("an event can't be read: all of its kind is compared", "kind", e.Key.Kind, "error", e.Lost)
	}
}
