// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestLoadYields(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	l := newLoad(clock)
	l.most, l.bound = 8, 8
	write := func(took time.Duration) {
		if err := l.write(t.Context(), func() error { clock.SetTime(clock.Now().Add(took)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		write(2 * slowWrite)
	}
	if l.bound != 1 {
		t.Errorf("after three slow writes %v are written at a time", l.bound)
	}
	write(2 * slowWrite)
	if l.bound != 1 {
		t.Errorf("never less than one: %v", l.bound)
	}
	for range 100 {
		write(slowWrite / 10)
	}
	if l.bound != 8 {
		t.Errorf("after a hundred quick writes %v are written at a time", l.bound)
	}
}

// TestLoadYieldsOnce to writes that were all under way when the first was slow.
func TestLoadYieldsOnce(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	l := newLoad(clock)
	l.most, l.bound = 8, 8
	began := clock.Now()
	for range 8 {
		if err := l.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the ninth: %v", err)
	}
	clock.SetTime(began.Add(slowWrite))
	for range 8 {
		l.release(&pending{began: began})
	}
	if l.bound != 4 || l.running != 0 || len(l.waiting) != 0 {
		t.Errorf("bound %v, %d running, %d waiting", l.bound, l.running, len(l.waiting))
	}
}

// TestLoadPassesOverStuckWrites: a write that takes for ever does not hold up others,
// also after slow ones have lowered the bound to one.
func TestLoadPassesOverStuckWrites(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	l := newLoad(clock)
	l.most, l.bound = 3, 1
	end, ended := make(chan struct{}), make(chan error)
	stick := func() {
		begun := make(chan struct{})
		go func() { ended <- l.write(t.Context(), func() error { close(begun); <-end; return nil }) }()
		<-begun
	}
	quick := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return l.write(ctx, func() error { return nil })
	}
	lower := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bound = 1
	}
	stick()
	if err := quick(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a write that is under way, with a bound of one: %v", err)
	}
	clock.Step(stuckWrite)
	if err := quick(); err != nil {
		t.Fatalf("beside a write that is stuck: %v", err)
	}
	lower()
	stick()
	clock.Step(stuckWrite)
	lower()
	stick()
	clock.Step(stuckWrite)
	if err := quick(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside as many stuck writes as there may be: %v", err)
	}
	close(end)
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if l.running != 0 || l.stuck != 0 {
		t.Errorf("%d running, %d stuck", l.running, l.stuck)
	}
}
