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
	clock := clocktesting.NewFakePassiveClock(time.Unix(1000, 0))
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
	clock := clocktesting.NewFakePassiveClock(time.Unix(1000, 0))
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
		l.release(began)
	}
	if l.bound != 4 || l.running != 0 || len(l.waiting) != 0 {
		t.Errorf("bound %v, %d running, %d waiting", l.bound, l.running, len(l.waiting))
	}
}
