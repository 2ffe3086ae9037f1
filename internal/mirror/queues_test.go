// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestQueuesTakeNoEmptyID: an object without an ID, as an engine may list or name
// it, is never queued, and so never stands for anything else.
func TestQueuesTakeNoEmptyID(t *testing.T) {
	q := newQueues("test")
	defer q.shutDown()
	for _, kind := range append([]engine.Kind{"", "other"}, engine.Kinds...) {
		q.Add(engine.Key{Kind: kind})
		q.AddAfter(engine.Key{Kind: kind, Namespace: "ns"}, 1)
		q.add(priorityqueue.AddOpts{}, engine.Key{Kind: kind}, engine.Key{Kind: "other", ID: "x"})
	}
	if n := q.waiting(); n != 0 {
		t.Errorf("%d objects wait", n)
	}
	q.add(priorityqueue.AddOpts{}, containerKey("a"), engine.Key{Kind: engine.KindVolume, ID: "v"})
	key, _ := q[engine.KindVolume].Get()
	if key.ID != "v" || q.waiting() != 1 {
		t.Errorf("got %v, %d wait", key, q.waiting())
	}
}
