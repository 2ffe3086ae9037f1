// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// retryMin and retryMax bound the back-off of a failed object.
	retryMin = 20 * time.Millisecond
	retryMax = 30 * time.Second

	// deepResync is how many objects of a kind each comparison inspects in turn although
	// they equal their mirrors in the list: a list does not show everything.
	deepResync = 16
)

// syncer keeps mirrors equal to the engine's objects: it queues the objects that
// events and lists name, and its workers inspect each object and write its mirrors.
type syncer struct {
	owner      owner
	connection *connection
	actor      *actor
	writer     *writer
	reader     client.Reader // not from a cache
	clock      clock.WithTickerAndDelayedExecution
	log        *slog.Logger
	metrics    *metrics
	problems   *problems
	notices    *notices

	table      *table
	queue      queues
	lists      *lists
	patience   *patience
	pacer      *pacer
	inspected  *inspectedItems
	namespaces namespaces

	alive   context.Context //nolint:containedctx // of the workers
	workers sync.WaitGroup

	mu         sync.Mutex
	busy       map[engine.Key]*syncing  // guarded by mu; being synced
	arrived    map[engine.Key]time.Time // guarded by mu; the first event since the last sync
	current    *batch                   // guarded by mu; of the last comparison
	deepAfter  map[engine.Kind]string   // guarded by mu; where the next deep comparison continues
	lostLogged time.Time                // guarded by mu; the last warning about an event that could not be decoded
}

// start starts the workers, which end when the queue does.
func (s *syncer) start() {
	for _, kind := range engine.Kinds {
		for range kinds[kind].workers {
			s.startWorker(kind)
		}
	}
}

// syncing is one sync of an engine object.
type syncing struct {
	began time.Time
	// arrived is when the first event that caused it arrived; zero for none.
	arrived time.Time
	wrote   bool // guarded by syncer.mu
}

// begin records that an engine object is being synced.
func (s *syncer) begin(key engine.Key) *syncing {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := &syncing{began: s.clock.Now(), arrived: s.arrived[key]}
	delete(s.arrived, key)
	s.busy[key] = run
	return run
}

// finish records the end of a sync, and whether it failed.
func (s *syncer) finish(key engine.Key, run *syncing, failed bool) {
	s.mu.Lock()
	delete(s.busy, key)
	answered := !run.arrived.IsZero()
	if _, newer := s.arrived[key]; failed && answered && !newer {
		s.arrived[key] = run.arrived
	}
	wrote := run.wrote
	s.mu.Unlock()
	switch labels := []string{s.owner.String(), string(key.Kind)}; {
	case failed:
		s.metrics.retries.WithLabelValues(labels...).Inc()
	case wrote && answered:
		s.metrics.latency.WithLabelValues(labels...).Observe(s.clock.Since(run.arrived).Seconds())
	}
}

func (s *syncer) isBusy(key engine.Key) bool { return !s.began(key).IsZero() }

// began returns when the current sync of an object began; zero for none.
func (s *syncer) began(key engine.Key) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run := s.busy[key]; run != nil {
		return run.began
	}
	return time.Time{}
}

// counted counts a write that the API server accepted.
func (s *syncer) counted(verb string, m client.Object) {
	s.metrics.writes.WithLabelValues(s.owner.String(), string(kindOf(m)), verb).Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if run := s.busy[keyOf(m)]; run != nil {
		run.wrote = true
	}
}
