// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// NewQueue creates the queue of a controller, for its options. controller-runtime's own
// queue wakes the daemon twice a second to measure how long work has been in progress.
// This one has the same metrics, updated as often as scrapers usually read them.
func NewQueue(controller string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{
		Name:            controller,
		Clock:           calmClock{},
		MetricsProvider: queueMetrics(),
	})
}

// queueMetrics returns the provider of controller-runtime's metrics, which only its own
// queues receive. A queue without a name has no metrics itself.
func queueMetrics() workqueue.MetricsProvider {
	var provided *priorityqueue.Opts[reconcile.Request]
	priorityqueue.New("", func(o *priorityqueue.Opts[reconcile.Request]) { provided = o }).ShutDown()
	return provided.MetricProvider
}

// calmTick is the shortest period of a calmClock's tickers. A queue uses them to
// measure work in progress, and to correct for a system clock that was set back.
const calmTick = 15 * time.Second

// calmClock is the real clock with slow tickers. Timers are unchanged.
type calmClock struct{ clock.RealClock }

// NewTicker implements [clock.WithTicker].
func (c calmClock) NewTicker(d time.Duration) clock.Ticker {
	return c.RealClock.NewTicker(max(d, calmTick))
}
