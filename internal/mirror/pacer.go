// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// paceBurst events on one object are handled at once, and from then on one
	// in each paceInterval: an object that never rests costs a few writes a
	// second, and one that does what objects do is never delayed.
	paceBurst    = 6
	paceInterval = 250 * time.Millisecond

	// passing is how long the event after one that is [engine.Event.Passing] may
	// take.
	passing = 100 * time.Millisecond
)

// pacer says how long to wait before an object is looked at again. Only objects
// with a recent event take room.
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

// delay notes an event on an object and returns how long to wait.
func (p *pacer) delay(key engine.Key) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	p.sweepLocked(now)
	d := p.debts[key].left(now)
	if d.events >= paceBurst {
		// The wait ends when the bucket has room again; events until then join
		// the one that waits.
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

// sweepLocked forgets objects that have come to rest, now and then.
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
