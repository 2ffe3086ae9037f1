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

	// clockSlack is how much later than the engine's clock, as it was when the engine
	// last said who it is, an event may be.
	clockSlack = time.Minute
)

// connection is what RDD has of one engine from one connection to the next: who
// the engine is, what its clock shows, and which removals it reported.
type connection struct {
	engine engine.Engine
	table  *table // a known mirror is a proof of the engine's identity
	clock  clock.Clock
	log    *slog.Logger

	link     link
	removals removals

	mu         sync.Mutex
	known      identity      // guarded by mu; of the engine that the mirrors are of
	info       *engine.Info  // guarded by mu; what the engine last said of itself; nil before the first answer
	identified time.Time     // guarded by mu; when the engine last proved who it is
	ahead      time.Duration // guarded by mu; the engine's clock minus ours
	lastEvent  time.Time     // guarded by mu; on the engine's clock
}

// lastInfo returns what the engine last said of itself; nil before the first
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

// identify asks the engine who it is, and fails if it is not the one that the
// mirrors are of.
func (c *connection) identify(ctx context.Context) error {
	c.mu.Lock()
	recent := c.link.up() && c.clock.Since(c.identified) < identityTTL
	c.mu.Unlock()
	if recent {
		return nil
	}
	asked := c.clock.Now()
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
	c.ahead = info.Clock.Sub(asked)
	return nil
}

// identifyAgain has the engine prove who it is over a connection that was made with
// what the Secret has now.
func (c *connection) identifyAgain(ctx context.Context) error {
	if r, ok := c.engine.(engine.Refresher); ok {
		r.Refresh()
	}
	c.mu.Lock()
	c.identified = time.Time{}
	c.mu.Unlock()
	return c.identify(ctx)
}

// noteTime records when an event was, if that can be: not before the stream
// begins, and not in the future of the engine.
func (c *connection) noteTime(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	latest := c.clock.Now().Add(c.ahead).Add(clockSlack)
	if at.After(c.lastEvent) && !at.After(latest) {
		c.lastEvent = at
	}
}

// watchSince returns when the event stream has to begin: after the last event
// that arrived, or now. The clock is the engine's, which may have been turned
// back: what it does from now on would be missed by a stream that begins later.
func (c *connection) watchSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.info.Clock; c.lastEvent.IsZero() || c.lastEvent.After(now) {
		c.lastEvent = now
	}
	return c.lastEvent
}

// verifyGone makes sure that an engine which reports not found is the one that
// had the object: either it reported the removal itself, or it proves who it is.
// number is that of the connection before the engine was asked.
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
