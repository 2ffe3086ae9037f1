// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"testing"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// TestQueueIsMeasured: a queue without periodic wake-ups still has its metrics.
func TestQueueIsMeasured(t *testing.T) {
	limiter := workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()
	queue := manager.NewQueue("measured", limiter)
	defer queue.ShutDown()
	queue.Add(reconcile.Request{})
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "workqueue_depth" && label.GetValue() == "measured" {
					if depth := metric.GetGauge().GetValue(); depth != 1 {
						t.Errorf("the queue's depth is %v, want 1", depth)
					}
					return
				}
			}
		}
	}
	t.Error("the queue has no depth")
}
