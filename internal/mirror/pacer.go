// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// paceBurst events on one object are handled at once, later ones at most once in
	// each paceInterval: an object that changes all the time costs a few writes a
	// second, and all others are never delayed.
	paceBurst    = 6
	paceInterval = 250 * time.Millisecond

	// passing is the delay of an event that is [engine.Event.Passing]: another one
	// follows.
	passing = 100 * time.Millisecond
)

// pacer delays the syncs of objects with many events. Only objects with a recent
// event use memory.
type pacer struct {
	clock clock.PassiveClock

	mu    sync.Mutex
	debts map[engine.Key]debt // guarded by mu
	swept time.Time           // guarded by mu
}

// debt is a bucket that empties by one event in each paceInterval.
type debt struct {
	events float64
	at     time.Time
}

func newPacer(c clock.PassiveClock) *pacer {
	return &pacer{clock: c, debts: map[engine.Key]debt{}, swept: c.Now()}
}

// delay records an event on an object and returns how long to wait.
func (p *pacer) delay(key engine.Key) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	p.sweepLocked(now)
	d := p.debts[key].left(now)
	if d.events >= paceBurst {
		// The wait ends when the bucket has room again; events until then are merged
		// with this one.
		p.debts[key] = debt{events: d.events, at: now}
		return time.Duration((d.events - paceBurst + 1) * float64(paceInterval))
	}
	d.events++
	p.debts[key] = d
	return 0
}

func (d debt) left(now time.Time) debt {
	events := d.events - float64(now.Sub(d.at))/float64(paceInterval)
	return debt{events: max(0, events), at: now}
}

// sweepLocked periodically forgets objects without recent events.
func (p *pacer) sweepLocked(now time.Time) {
	const interval = 2 * paceBurst * paceInterval
	if now.Sub(p.swept) < interval {
		return
	}
	p.swept = now
	for key, d := range p.debts {
		if d.left(now).events == 0 {
			delete(p.debts, key)
		}
	}
}
