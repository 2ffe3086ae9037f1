// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/openapi"
	"k8s.io/utils/clock"
)

// Each wake-up of an idle process costs more than the work that it does. The code in
// this file reduces and joins the wake-ups of the API server.

// inFlightHook is the hook of the generic API server that records the maximum number of
// requests in flight each second, for a metric.
const inFlightHook = "max-in-flight-filter"

// jointClock is the real clock, except that timers of a second or more fire at a whole
// second, up to one early: the timers of many watch caches, which check for bookmarks
// about each second, fire together.
type jointClock struct{ clock.RealClock }

// NewTimer implements [clock.Clock].
func (c jointClock) NewTimer(d time.Duration) clock.Timer {
	return jointTimer{c.RealClock.NewTimer(joint(time.Now(), d))}
}

type jointTimer struct{ clock.Timer }

// Reset implements [clock.Timer].
func (t jointTimer) Reset(d time.Duration) bool { return t.Timer.Reset(joint(time.Now(), d)) }

// joint returns the delay of a timer that was requested for d after now.
func joint(now time.Time, d time.Duration) time.Duration {
	if d < time.Second {
		return d
	}
	return now.Add(d).Truncate(time.Second).Sub(now)
}

// schemaSettle is how long after a change of a definition the documents of its kinds
// may still change.
const schemaSettle = 30 * time.Second

// schemas is the list of OpenAPI documents, with their versions, for mutating policies.
// These request it every five seconds; the API server would build the list each time,
// and here builds it only after definitions have changed.
type schemas struct {
	kubernetes.Interface
	changed atomic.Int64 // time of the last change of a definition, in Unix nanoseconds
}

// change records that a definition has changed.
func (s *schemas) change() { s.changed.Store(time.Now().UnixNano()) }

// Discovery implements [kubernetes.Interface].
func (s *schemas) Discovery() discovery.DiscoveryInterfaces {
	return schemaDiscovery{s.Interface.Discovery(), s}
}

type schemaDiscovery struct {
	discovery.DiscoveryInterfaces
	schemas *schemas
}

// OpenAPIV3 implements [discovery.OpenAPIV3SchemaInterface].
func (d schemaDiscovery) OpenAPIV3() openapi.Client {
	return &rememberedSchemas{Client: d.DiscoveryInterfaces.OpenAPIV3(), changed: &d.schemas.changed}
}

// rememberedSchemas requests the documents only if they may have changed.
type rememberedSchemas struct {
	openapi.Client
	changed *atomic.Int64

	mu    sync.Mutex
	asked time.Time                       // guarded by mu
	paths map[string]openapi.GroupVersion // guarded by mu; nil before the first answer
}

// Paths implements [openapi.Client].
func (r *rememberedSchemas) Paths() (map[string]openapi.GroupVersion, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths != nil && r.asked.After(time.Unix(0, r.changed.Load()).Add(schemaSettle)) {
		return r.paths, nil
	}
	now := time.Now()
	paths, err := r.Client.Paths()
	if err != nil {
		return nil, err
	}
	r.paths, r.asked = paths, now
	return paths, nil
}
