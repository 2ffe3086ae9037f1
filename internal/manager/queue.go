// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// NewQueue makes the queue of a controller: it is for its options. A queue of
// controller-runtime's own wakes the daemon twice a second to measure how long
// work has been under way. This one has the same metrics, and looks when a
// scraper is likely to ask.
func NewQueue(controller string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{
		Name:            controller,
		Clock:           calmClock{},
		MetricsProvider: queueMetrics(),
	})
}

// queueMetrics returns the provider of controller-runtime's metrics, which it
// tells its queues only. One without a name has no metrics itself.
func queueMetrics() workqueue.MetricsProvider {
	var provided *priorityqueue.Opts[reconcile.Request]
	priorityqueue.New("", func(o *priorityqueue.Opts[reconcile.Request]) { provided = o }).ShutDown()
	return provided.MetricProvider
}

// calmTick is the shortest period of a calmClock's tickers. Of a queue these
// measure work under way, and make up for a system clock that was set back.
const calmTick = 15 * time.Second

// calmClock is the real clock, but with slow tickers. Timers are as they are.
type calmClock struct{ clock.RealClock }

// NewTicker implements [clock.WithTicker].
func (c calmClock) NewTicker(d time.Duration) clock.Ticker {
	return c.RealClock.NewTicker(max(d, calmTick))
}
