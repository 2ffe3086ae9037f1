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

// compare lists every kind and queues what differs from its mirrors, as a part
// of the batch. Of a kind whose list fails nothing is queued, and the others go
// on. The result says whether every kind was listed.
func (s *syncer) compare(b *batch) <-chan bool {
	s.mu.Lock()
	s.current = b
	s.mu.Unlock()
	return s.lists.compare(b)
}

// comparison returns what the last comparison found; nil for none.
func (s *syncer) comparison() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// enqueueDifferent queues what differs of one kind, and what is looked at anyhow.
// Where the list is not complete, what is not in it may exist nevertheless.
func (s *syncer) enqueueDifferent(kind engine.Kind, items []engine.Item, complete bool, b *batch) {
	now := s.connection.now()
	var different, same []engine.Key
	listed := make(map[engine.Key]bool, len(items))
	for _, item := range items {
		listed[item.Key] = true
		mirrors := s.table.of(item.Key)
		if len(mirrors) > 0 && !slices.ContainsFunc(mirrors, wants) && (!b.first || !slices.ContainsFunc(mirrors, mislabeled)) && s.matches(item, engineObject(item.Key, mirrors), now) {
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

// wants reports whether a mirror asks for something to be done, if only by what it
// lacks.
func wants(m client.Object) bool {
	if c, ok := m.(*containersv1alpha1.Container); ok && wishOf(c, c.Status.Status) != nil {
		return true
	}
	if apimeta.FindStatusCondition(*conditionsOf(m), containersv1alpha1.ConditionSynced) != nil {
		return true // an earlier daemon's, perhaps, and over by now
	}
	return m.GetDeletionTimestamp() != nil || !controllerutil.ContainsFinalizer(m, containersv1alpha1.MirrorFinalizer)
}

// inTurn returns a few of the keys, others each time.
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
