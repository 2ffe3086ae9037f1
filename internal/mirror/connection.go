// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// identityTTL is how long a proof of the engine's identity holds for
	// removals that it did not report.
	identityTTL = time.Second

	// clockSlack is how far an event may be in the future of the engine's clock, which
	// is known from the last identification.
	clockSlack = time.Minute
)

// connection is the state of one engine across reconnects: its identity, its clock,
// and the removals that it reported.
type connection struct {
	engine engine.Engine
	table  *table // a mirrored object proves the engine's identity
	clock  clock.Clock
	log    *slog.Logger

	link     link
	removals removals

	mu         sync.Mutex
	known      identity      // guarded by mu; of the mirrored engine
	info       *engine.Info  // guarded by mu; the engine's last answer; nil before the first one
	identified time.Time     // guarded by mu; when the engine last proved its identity
	ahead      time.Duration // guarded by mu; the engine's clock minus ours
	lastEvent  time.Time     // guarded by mu; on the engine's clock
}

// lastInfo returns the engine's last description of itself; nil before the first
// answer.
func (c *connection) lastInfo() *engine.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info
}

// now returns the time on the engine's clock.
func (c *connection) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.Now().Add(c.ahead)
}

// identify requests the engine's identity, and fails unless it is the mirrored
// engine.
func (c *connection) identify(ctx context.Context) error {
	c.mu.Lock()
	recent := c.link.up() && c.clock.Since(c.identified) < identityTTL
	c.mu.Unlock()
	if recent {
		return nil
	}
	began := c.clock.Now()
	info, err := c.engine.Info(ctx)
	if err != nil {
		return err
	}
	info = info.Bounded()
	if err := c.recognize(ctx, &info); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info = &info
	c.identified = c.clock.Now()
	c.ahead = info.Clock.Sub(began)
	return nil
}

// identifyAgain reconnects with the current content of the Secret and identifies the
// engine.
func (c *connection) identifyAgain(ctx context.Context) error {
	if r, ok := c.engine.(engine.Refresher); ok {
		r.Refresh()
	}
	c.mu.Lock()
	c.identified = time.Time{}
	c.mu.Unlock()
	return c.identify(ctx)
}

// noteTime records the time of an event, unless it is before the last one or in the
// engine's future.
func (c *connection) noteTime(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	latest := c.clock.Now().Add(c.ahead).Add(clockSlack)
	if at.After(c.lastEvent) && !at.After(latest) {
		c.lastEvent = at
	}
}

// watchSince returns when the event stream must begin: at the last event, or now, on
// the engine's clock. That clock may have been set back, and a stream that begins in
// its future would miss events.
func (c *connection) watchSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.info.Clock; c.lastEvent.IsZero() || c.lastEvent.After(now) {
		c.lastEvent = now
	}
	return c.lastEvent
}

// verifyGone checks that the engine which does not find an object is the mirrored
// one: it reported the removal, or it proves its identity. number is the number of
// the connection before the call to the engine.
func (c *connection) verifyGone(ctx context.Context, key engine.Key, number uint64) error {
	if c.link.number() != number || !c.link.up() {
		return errUnverified
	}
	if c.removals.take(key) {
		return nil
	}
	if err := c.identify(ctx); err != nil {
		return fmt.Errorf("%w: %w", errUnverified, err)
	}
	if c.link.number() != number {
		return errUnverified
	}
	return nil
}
