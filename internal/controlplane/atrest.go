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

// Each wake of a process at rest costs more than what it wakes for. This is
// what makes the parts of the API server wake less, and together.

// inFlightHook is the hook of the generic API server that each second notes how
// many requests are in flight at most, for a metric.
const inFlightHook = "max-in-flight-filter"

// jointClock is the real clock, but timers of a second and more end with a whole
// second of it, up to one before their time: those of many watch caches, which
// look for bookmarks to send each second or so, end at once.
type jointClock struct{ clock.RealClock }

// NewTimer implements [clock.Clock].
func (c jointClock) NewTimer(d time.Duration) clock.Timer {
	return jointTimer{c.RealClock.NewTimer(joint(time.Now(), d))}
}

type jointTimer struct{ clock.Timer }

// Reset implements [clock.Timer].
func (t jointTimer) Reset(d time.Duration) bool { return t.Timer.Reset(joint(time.Now(), d)) }

// joint returns how long after now a timer ends that was to end after d.
func joint(now time.Time, d time.Duration) time.Duration {
	if d < time.Second {
		return d
	}
	return now.Add(d).Truncate(time.Second).Sub(now)
}

// schemaSettle is how long after a change of a definition the documents that
// describe its kinds may still change.
const schemaSettle = 30 * time.Second

// schemas is what policies that change objects know of kinds: which documents
// there are, and a version of each. They ask every five seconds, for which the
// API server makes a list of all; here it does so after definitions changed.
type schemas struct {
	kubernetes.Interface
	changed atomic.Int64 // when a definition changed last, in Unix nanoseconds
}

// change notes that a definition has changed.
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

// rememberedSchemas asks for the documents only where they may have changed.
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
