// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// syncs counts how often an object is looked at when events come at the given
// distance for a second, as the queue would: events join a look that waits.
func syncs(distance time.Duration) int {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	p := newPacer(clock)
	key := engine.Key{Kind: engine.KindContainer, ID: "c"}
	count, due := 0, time.Time{}
	for elapsed := time.Duration(0); elapsed < time.Second; elapsed += distance {
		now := time.Unix(0, 0).Add(elapsed)
		clock.SetTime(now)
		if !due.IsZero() && !now.Before(due) {
			count, due = count+1, time.Time{}
		}
		delay := p.delay(key)
		switch {
		case delay == 0:
			count++
		case due.IsZero() || now.Add(delay).Before(due):
			due = now.Add(delay)
		}
	}
	if !due.IsZero() {
		count++
	}
	return count
}

func TestPacer(t *testing.T) {
	if got := syncs(time.Millisecond); got > 14 {
		t.Errorf("a thousand events in a second make %d looks, want a few", got)
	}
	if got := syncs(250 * time.Millisecond); got != 4 {
		t.Errorf("four events in a second make %d looks, want all", got)
	}
}

func TestPacerBurstIsNotDelayed(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	p := newPacer(clock)
	for i := range paceBurst {
		if delay := p.delay(engine.Key{ID: "c"}); delay != 0 {
			t.Errorf("event %d waits %s", i, delay)
		}
	}
	if delay := p.delay(engine.Key{ID: "c"}); delay <= 0 || delay > time.Second {
		t.Errorf("one more waits %s", delay)
	}
	if delay := p.delay(engine.Key{ID: "other"}); delay != 0 {
		t.Errorf("another object waits %s", delay)
	}
}

func TestPacerForgets(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	p := newPacer(clock)
	for i := range 1000 {
		p.delay(engine.Key{ID: string(rune('a' + i))})
	}
	clock.SetTime(time.Unix(60, 0))
	p.delay(engine.Key{ID: "one"})
	if got := len(p.debts); got != 1 {
		t.Errorf("%d objects are remembered that rest", got)
	}
}
