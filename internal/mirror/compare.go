// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// compare lists every kind and queues the objects that differ from their mirrors, as
// a part of the batch. If the list of a kind fails, nothing of that kind is queued.
// The result is whether every kind was listed.
func (s *syncer) compare(b *batch) <-chan bool {
	s.mu.Lock()
	s.current = b
	s.mu.Unlock()
	return s.lists.compare(b)
}

// comparison returns the batch of the last comparison; nil for none.
func (s *syncer) comparison() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// enqueueDifferent queues the objects of one kind that differ from their mirrors,
// and a few others in turn. If the list is not complete, objects that are missing in
// it may exist.
func (s *syncer) enqueueDifferent(kind engine.Kind, items []engine.Item, complete bool, b *batch) {
	now := s.connection.now()
	var different, same []engine.Key
	listed := make(map[engine.Key]bool, len(items))
	for _, item := range items {
		listed[item.Key] = true
		mirrors := s.table.of(item.Key)
		if len(mirrors) > 0 && !slices.ContainsFunc(mirrors, isPending) && (!b.first || !slices.ContainsFunc(mirrors, isMislabeled)) && s.matches(item, engineObject(item.Key, mirrors), now) {
			same = append(same, item.Key)
		} else {
			different = append(different, item.Key)
		}
	}
	s.inspected.keep(kind, listed)
	for _, key := range s.table.keys(kind) {
		if complete && !listed[key] {
			different = append(different, key)
		}
	}
	if !b.first {
		s.metrics.repairs.WithLabelValues(s.owner.String(), string(kind)).Add(float64(len(different)))
	}
	different = append(different, s.inTurn(kind, same)...)
	b.add(different)
	priority := resyncPriority
	s.queue.add(priorityqueue.AddOpts{Priority: &priority}, different...)
}

// matches reports whether an item needs no inspection.
func (s *syncer) matches(item engine.Item, known engine.Object, now time.Time) bool {
	return item.Current(known, now) || s.inspected.match(item, s.table.versionOf(item.Key), known, now)
}

// isPending reports whether a mirror needs a sync even if it shows what the engine
// has: it requests an action, is deleted, lacks its finalizer, or has a problem.
func isPending(m client.Object) bool {
	if c, ok := m.(*containersv1alpha1.Container); ok && requestOf(c, c.Status.Status) != nil {
		return true
	}
	if apimeta.FindStatusCondition(*conditionsOf(m), containersv1alpha1.ConditionSynced) != nil {
		return true // an earlier daemon may have written it, and the problem may be solved
	}
	return m.GetDeletionTimestamp() != nil || !controllerutil.ContainsFinalizer(m, containersv1alpha1.MirrorFinalizer)
}

// inTurn returns a few of the keys: the next ones with each call.
func (s *syncer) inTurn(kind engine.Kind, keys []engine.Key) []engine.Key {
	if len(keys) <= deepResync {
		return keys
	}
	position := func(k engine.Key) string { return k.Namespace + "/" + k.ID }
	slices.SortFunc(keys, func(a, b engine.Key) int { return strings.Compare(position(a), position(b)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	start, _ := slices.BinarySearchFunc(keys, s.deepAfter[kind], func(k engine.Key, after string) int {
		if position(k) <= after {
			return -1
		}
		return 1
	})
	turn := make([]engine.Key, deepResync)
	for i := range turn {
		turn[i] = keys[(start+i)%len(keys)]
	}
	s.deepAfter[kind] = position(turn[deepResync-1])
	return turn
}
