// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/printable"
)

// event takes an event of the stream: it names an object, and that is queued.
func (s *Session) event(e engine.Event) {
	s.noteEvent(e)
	s.mu.Lock()
	s.noteTimeLocked(e.At)
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
		s.removals.add(e.Key)
		s.patience.announced(e.Key)
		s.queue.Add(e.Key)
		return
	}
	s.removals.take(e.Key) // it may be there again
	delay := s.pacer.delay(e.Key)
	if e.Passing {
		delay = max(delay, passing)
	}
	s.queue.AddAfter(e.Key, delay)
}

func (s *Session) startWorker(kind engine.Kind) {
	s.workers.Go(func() { s.work(s.alive, kind) })
}

// work syncs one object of a kind after the other until the queue ends, or
// another worker has taken its place.
func (s *Session) work(ctx context.Context, kind engine.Kind) {
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
func (s *Session) clearProblems(key engine.Key) {
	over := []string{containersv1alpha1.ReasonInspectFailed, containersv1alpha1.ReasonWriteRefused}
	isDeleted := func(m client.Object) bool { return m.GetDeletionTimestamp() != nil }
	if !slices.ContainsFunc(s.table.of(key), isDeleted) {
		// The mirror may have gone while its deletion failed, and be replaced.
		over = append(over, containersv1alpha1.ReasonDeletionFailed)
	}
	s.problems.clear(key, over...)
}

// silent takes that the engine has not answered for an object in problemGrace.
func (s *Session) silent(key engine.Key) {
	s.link.whileUp(func() {
		s.problems.add(key, containersv1alpha1.ReasonInspectFailed, fmt.Errorf("the engine has not answered for %s", problemGrace))
	})
	s.finishInBatch(key)
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
	s.repeat(ctx, func() {
		s.removals.sweep(s.clock.Now())
		s.tellProgress()
		if s.isUnreported() {
			s.changed()
		}
	})
}

// tellMirrors likewise has the mirrors and Events tell of problems. It writes, which
// may take long where the API server is busy: what the ContainerEngine says does
// not wait for that.
func (s *Session) tellMirrors(ctx context.Context) {
	s.repeat(ctx, func() { s.notices.tell(ctx) })
}

// repeat does something after each countDelay, until ctx ends.
func (s *Session) repeat(ctx context.Context, do func()) {
	ticker := s.clock.NewTicker(countDelay)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			do()
		}
	}
}

// tellProgress says how far the first comparison of a connection is, or, later,
// how much there is to be done where that is much.
func (s *Session) tellProgress() {
	s.mu.Lock()
	first := s.current
	s.mu.Unlock()
	waiting := ""
	if n := s.queue.waiting(); n >= manyWait {
		waiting = "; " + thousands(n) + " changes are on their way"
	}
	switch state := s.State(); {
	case state.Reason == containersv1alpha1.ReasonConnected:
		s.setStateIf(containersv1alpha1.ReasonConnected, state.Reason, "connected"+waiting)
	case first == nil || !first.first || !s.link.up():
	default:
		progress := first.progress()
		if progress == "" {
			return
		}
		reason := state.Reason
		if reason == containersv1alpha1.ReasonConnectFailed {
			reason = containersv1alpha1.ReasonConnecting
		}
		s.setStateIf(state.Reason, reason, "connecting: "+progress)
	}
}

// subject says what an object is called by people: by its name where it has one.
func (s *Session) subject(key engine.Key) string {
	if key.ID == "" {
		return "the list of " + string(key.Kind) + "s"
	}
	for _, m := range s.table.of(key) {
		if title := titleOf(m); title != "" {
			return string(key.Kind) + " " + printable.Text(title, maxName)
		}
	}
	return string(key.Kind) + " " + printable.Text(key.ID, maxName)
}
