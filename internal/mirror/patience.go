// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// patienceTime is how long a worker waits for the engine's answer before
	// another one takes its place, and crowdedTime if many workers wait.
	patienceTime = 200 * time.Millisecond
	crowdedTime  = 20 * time.Millisecond

	// maxAside bounds the calls of replaced workers, for one engine.
	maxAside = 128
	// asideStay is how long a call of a replaced worker lasts at least before it may
	// be evicted; it doubles with each eviction.
	asideStay = 500 * time.Millisecond
)

var (
	// errCrowded ends an evicted call.
	errCrowded = errors.New("the engine has not answered, and too many calls wait for it")
	// errAnnounced ends a call for an object that the engine reported as removed.
	errAnnounced = errors.New("the engine has removed it")
)

// patience lets other objects be synced while the engine takes long for one: another
// worker replaces the waiting one, which ends after its object. No other worker gets
// that object before, so that there is one call for it at a time.
type patience struct {
	clock clock.WithDelayedExecution
	// replace starts a worker for objects of a kind.
	replace func(engine.Kind)
	// silent is called once for a call without an answer for problemGrace. mu is held,
	// so that it returns before the answer is handled.
	silent func(engine.Key)
	// times are the constants of the same names; others in tests.
	patienceTime, crowdedTime, asideStay, silentTime time.Duration
	maxAside                                         int

	mu    sync.Mutex
	turns map[engine.Key]*turn // guarded by mu; with a call under way
	aside int                  // guarded by mu; turns whose worker was replaced
}

func newPatience(c clock.WithDelayedExecution, replace func(engine.Kind), silent func(engine.Key)) *patience {
	return &patience{
		clock: c, replace: replace, silent: silent, maxAside: maxAside,
		patienceTime: patienceTime, crowdedTime: crowdedTime, asideStay: asideStay, silentTime: problemGrace,
		turns: map[engine.Key]*turn{},
	}
}

// turn is a worker's work on one object.
type turn struct {
	key   engine.Key
	tries int // that failed before

	replaced bool // guarded by patience.mu; another worker has taken the place
	// The fields below are for the current call.
	cancel    context.CancelCauseFunc // guarded by patience.mu
	began     time.Time               // guarded by patience.mu
	timer     clock.Timer             // guarded by patience.mu
	evictable bool                    // guarded by patience.mu
}

// finish ends a turn, and reports whether its worker was replaced.
func (p *patience) finish(t *turn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.replaced {
		p.aside--
	}
	return t.replaced
}

// call calls the engine, as a part of a turn. An evictable call may be canceled for
// another one.
func (p *patience) call(ctx context.Context, t *turn, evictable bool, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.begin(t, cancel, evictable)
	err := do(ctx)
	p.answered(t)
	if cause := context.Cause(ctx); err != nil && (errors.Is(cause, errCrowded) || errors.Is(cause, errAnnounced)) {
		return cause
	}
	return err
}

func (p *patience) begin(t *turn, cancel context.CancelCauseFunc, evictable bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.cancel, t.evictable, t.began = cancel, evictable, p.clock.Now()
	p.turns[t.key] = t
	wait := p.patienceTime
	if p.aside >= p.maxAside/2 {
		wait = p.crowdedTime
	}
	t.timer = p.clock.AfterFunc(wait, func() { p.lost(t, cancel) })
}

func (p *patience) answered(t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.timer.Stop()
	t.cancel = nil
	delete(p.turns, t.key)
}

// lost replaces a worker that has waited too long. cancel belongs to its call.
func (p *patience) lost(t *turn, cancel context.CancelCauseFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns[t.key] != t || t.cancel == nil {
		return // it is answered
	}
	if !t.replaced {
		if p.aside >= p.maxAside {
			p.evictLocked() // the evicted turn ends in a moment
			t.timer = p.clock.AfterFunc(p.crowdedTime, func() { p.lost(t, cancel) })
			return
		}
		t.replaced = true
		p.aside++
		p.replace(t.key.Kind)
	}
	rest := p.silentTime - p.clock.Since(t.began)
	t.timer = p.clock.AfterFunc(max(rest, 0), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.turns[t.key] == t && t.cancel != nil {
			p.silent(t.key)
		}
	})
}

// evictLocked evicts the oldest evictable call.
func (p *patience) evictLocked() {
	var oldest *turn
	now := p.clock.Now()
	for _, t := range p.turns {
		stay := p.asideStay << min(t.tries, 5)
		if t.replaced && t.evictable && now.Sub(t.began) >= stay && (oldest == nil || t.began.Before(oldest.began)) {
			oldest = t
		}
	}
	if oldest != nil {
		oldest.evictable = false // once is enough
		oldest.cancel(errCrowded)
	}
}

// announced ends the call for an object that the engine reported as removed.
func (p *patience) announced(key engine.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.turns[key]; t != nil && t.evictable {
		t.evictable = false
		t.cancel(errAnnounced)
	}
}

// turnKey is the context key of a worker's turn.
type turnKey struct{}

func withTurn(ctx context.Context, t *turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// turnOf returns the turn in a context; nil for none.
func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}
