// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// event handles an event of the stream: it queues the object that the event names.
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
		return // it names no object
	case e.Gone:
		s.connection.removals.add(e.Key)
		s.patience.announced(e.Key)
		s.queue.Add(e.Key)
		return
	}
	s.connection.removals.take(e.Key) // the object may exist again
	delay := s.pacer.delay(e.Key)
	if e.Passing {
		delay = max(delay, passing)
	}
	s.queue.AddAfter(e.Key, delay)
}

func (s *syncer) startWorker(kind engine.Kind) {
	s.workers.Go(func() { s.work(s.alive, kind) })
}

// work syncs objects of a kind until the queue is shut down, or another worker has
// taken its place.
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
			s.log.Debug("sync failed, will retry", "kind", key.Kind, "id", key.ID, "error", err)
			s.queue.retry(key)
		}
		s.finishInBatch(comparison, key, err)
		queue.Done(key)
		if s.patience.finish(t) {
			return
		}
	}
}

// clearProblems clears the problems that a successful sync ends.
func (s *syncer) clearProblems(key engine.Key) {
	reasons := []string{containersv1alpha1.ReasonInspectFailed, containersv1alpha1.ReasonWriteRefused}
	isDeleted := func(m client.Object) bool { return m.GetDeletionTimestamp() != nil }
	if !slices.ContainsFunc(s.table.of(key), isDeleted) {
		// A mirror whose deletion failed may have been removed and replaced.
		reasons = append(reasons, containersv1alpha1.ReasonDeletionFailed)
	}
	s.problems.clear(key, reasons...)
}

// silent reports that the engine has not answered for an object within problemGrace.
func (s *syncer) silent(key engine.Key) {
	s.connection.link.whileUp(func() {
		s.problems.add(key, containersv1alpha1.ReasonInspectFailed, fmt.Errorf("no answer from the engine within %s", problemGrace))
	})
	if current := s.comparison(); current != nil {
		current.finish(key)
	}
}

// finishInBatch removes an object from the comparison that it was synced for: when the
// sync has succeeded, or when its problem is reported, so that one object does not block
// the others. Until then its retries are part of the comparison. Otherwise the engine
// would count as mirrored while a mirror is missing and no problem is reported.
func (s *syncer) finishInBatch(b *batch, key engine.Key, failure error) {
	switch {
	case b == nil || !b.has(key):
	case failure == nil || errors.As(failure, new(*actError)) || s.problems.anyOf(key):
		b.finish(key)
	default:
		s.clock.AfterFunc(problemGrace, func() { s.giveUpInBatch(b, key, failure) })
	}
}

// giveUpInBatch removes an object from a comparison although no sync of it has succeeded,
// and reports that, if no problem of it is reported yet: an inspection that was cut short
// for others is none.
func (s *syncer) giveUpInBatch(b *batch, key engine.Key, failure error) {
	if !b.has(key) {
		return
	}
	if !s.problems.anyOf(key) {
		s.connection.link.whileUp(func() {
			s.problems.add(key, containersv1alpha1.ReasonInspectFailed, fmt.Errorf("not mirrored within %s: %w", problemGrace, failure))
		})
	}
	if !b.finish(key) {
		s.clearProblems(key) // a sync succeeded at this moment
	}
}

// requeueForeign queues an object again if another client wrote one of its
// mirrors during the sync. known is the newest version before it.
func (s *syncer) requeueForeign(key engine.Key, known uint64) {
	for _, m := range s.table.of(key) {
		if s.table.foreign(nameOf(m)) && version(m) > known {
			s.queue.Add(key)
			return
		}
	}
}

// noteEvent handles events that name no object: a prune, and one that could not be
// decoded. For both, all objects of the kind are compared.
func (s *syncer) noteEvent(e engine.Event) {
	switch {
	case e.Key.ID != "":
	case e.All:
		s.connection.removals.add(e.Key)
	case e.Lost != nil:
		s.logLost(e)
	}
}

// lostPause is the time between two warnings about events that can't be decoded: an
// engine may send many.
const lostPause = time.Minute

func (s *syncer) logLost(e engine.Event) {
	s.mu.Lock()
	now := s.clock.Now()
	level := slog.LevelDebug
	if s.lostLogged.IsZero() || now.Sub(s.lostLogged) >= lostPause {
		level, s.lostLogged = slog.LevelWarn, now
	}
	s.mu.Unlock()
	s.log.Log(context.Background(), level, "an event of the engine can't be decoded: will compare all objects of its kind", "kind", e.Key.Kind, "error", e.Lost)
}
