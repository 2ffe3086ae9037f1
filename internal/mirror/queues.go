// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// resyncPriority puts objects from a comparison behind those from events, and
	// retryPriority objects that failed twice behind all others.
	resyncPriority = -100
	retryPriority  = -200
)

// queues holds the objects to sync, each kind in its own queue, so that one kind does
// not wait for another.
type queues map[engine.Kind]priorityqueue.PriorityQueue[engine.Key]

func newQueues(name string) queues {
	q := queues{}
	for _, kind := range engine.Kinds {
		q[kind] = priorityqueue.New(name+"-"+string(kind), func(o *priorityqueue.Opts[engine.Key]) {
			o.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[engine.Key](retryMin, retryMax)
		})
	}
	return q
}

// add queues objects. It ignores keys without an ID.
func (q queues) add(o priorityqueue.AddOpts, keys ...engine.Key) {
	byKind := map[engine.Kind][]engine.Key{}
	for _, key := range keys {
		if key.ID != "" {
			byKind[key.Kind] = append(byKind[key.Kind], key)
		}
	}
	for kind, keys := range byKind {
		if queue := q[kind]; queue != nil {
			queue.AddWithOpts(o, keys...)
		}
	}
}

// Add queues an object.
func (q queues) Add(key engine.Key) { q.AddAfter(key, 0) }

// AddAfter queues an object after a delay.
func (q queues) AddAfter(key engine.Key, after time.Duration) {
	if queue := q[key.Kind]; queue != nil && key.ID != "" {
		queue.AddWithOpts(priorityqueue.AddOpts{After: after}, key)
	}
}

// retry queues an object that failed, after its back-off.
func (q queues) retry(key engine.Key) {
	queue, priority := q[key.Kind], 0
	if queue.NumRequeues(key) > 0 {
		priority = retryPriority
	}
	queue.AddWithOpts(priorityqueue.AddOpts{RateLimited: true, Priority: &priority}, key)
}

// waiting returns the number of objects that are ready to be synced.
func (q queues) waiting() int {
	n := 0
	for _, queue := range q {
		n += queue.Len()
	}
	return n
}

func (q queues) shutDown() {
	for _, queue := range q {
		queue.ShutDown()
	}
}
