// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// hurried is a patience with short times. replaced gets a value for each worker
// that was replaced, silent the key of each call that takes long.
func hurried(most int) (p *patience, replaced chan engine.Kind, silent chan engine.Key) {
	replaced, silent = make(chan engine.Kind, 1000), make(chan engine.Key, 1000)
	p = newPatience(clock.RealClock{}, func(kind engine.Kind) { replaced <- kind }, func(key engine.Key) { silent <- key })
	p.patienceTime, p.crowdedTime, p.asideStay, p.silentTime = 20*time.Millisecond, 5*time.Millisecond, 20*time.Millisecond, 60*time.Millisecond
	p.maxAside = most
	return p, replaced, silent
}

// ask makes a call that ends when its context or answer does.
func ask(ctx context.Context, p *patience, t *turn, answer <-chan struct{}) error {
	return p.call(ctx, t, true, func(ctx context.Context) error {
		select {
		case <-answer:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func TestQuickCallsReplaceNobody(t *testing.T) {
	t.Parallel()
	p, replaced, silent := hurried(2)
	answer := make(chan struct{})
	close(answer)
	for i := range 100 {
		turn := &turn{key: containerKey(fmt.Sprint(i))}
		if err := ask(t.Context(), p, turn, answer); err != nil || p.finish(turn) {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if len(replaced) != 0 || len(silent) != 0 || p.aside != 0 {
		t.Errorf("%d replaced, %d silent, %d aside", len(replaced), len(silent), p.aside)
	}
}

func TestSlowCallIsReplacedOnce(t *testing.T) {
	t.Parallel()
	p, replaced, silent := hurried(2)
	answer := make(chan struct{})
	turn := &turn{key: containerKey("slow")}
	time.AfterFunc(150*time.Millisecond, func() { close(answer) })
	if err := ask(t.Context(), p, turn, answer); err != nil {
		t.Fatal(err)
	}
	if !p.finish(turn) || len(replaced) != 1 || len(silent) != 1 || p.aside != 0 {
		t.Errorf("%d replaced, %d silent, %d aside", len(replaced), len(silent), p.aside)
	}
}

func TestAnnouncedRemovalEndsTheCall(t *testing.T) {
	t.Parallel()
	p, _, _ := hurried(2)
	key := containerKey("gone")
	time.AfterFunc(30*time.Millisecond, func() { p.announced(key) })
	turn := &turn{key: key}
	if err := ask(t.Context(), p, turn, nil); !errors.Is(err, errAnnounced) {
		t.Errorf("the call ended with %v", err)
	}
	p.finish(turn)
	p.announced(key) // nothing is under way
}

// TestManySlowCalls: calls that are never answered are bounded in number, and each
// gets its turn.
func TestManySlowCalls(t *testing.T) {
	t.Parallel()
	const most, workers, calls = 4, 2, 30
	p, replaced, _ := hurried(most)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	work := make(chan int, calls)
	for i := range calls {
		work <- i
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	busy, peak, crowded := 0, 0, 0
	all := make(chan struct{})
	worker := func() {
		for {
			var i int
			select {
			case i = <-work:
			case <-ctx.Done():
				return
			}
			mu.Lock()
			busy++
			peak = max(peak, busy)
			mu.Unlock()
			turn := &turn{key: containerKey(fmt.Sprint(i))}
			err := ask(ctx, p, turn, nil)
			mu.Lock()
			busy--
			if errors.Is(err, errCrowded) {
				if crowded++; crowded == calls-most-workers {
					close(all)
				}
			}
			mu.Unlock()
			if p.finish(turn) {
				return
			}
		}
	}
	for range workers {
		wg.Go(worker)
	}
	wg.Go(func() {
		for {
			select {
			case <-replaced:
				wg.Go(worker)
			case <-ctx.Done():
				return
			}
		}
	})
	select {
	case <-all:
	case <-ctx.Done():
		t.Errorf("%d calls made room for others", crowded)
	}
	cancel()
	wg.Wait()
	if peak > most+workers || p.aside != 0 {
		t.Errorf("%d calls at a time, %d aside at the end", peak, p.aside)
	}
}
