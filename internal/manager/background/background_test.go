// SPDX-License-Identifier: Apache-2.0

package background

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestWakeBeforeStart: a request from before the controller's start is not lost.
func TestWakeBeforeStart(t *testing.T) {
	t.Parallel()
	var w Waker
	request := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: client.ObjectKey{Name: name}}
	}
	w.Wake(request("early"))
	w.Wake(request("early"))
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	if err := w.Source().Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	w.Wake(request("late"))
	if n := queue.Len(); n != 2 {
		t.Fatalf("%d requests are queued, want 2", n)
	}
	first, _ := queue.Get()
	second, _ := queue.Get()
	if got := []string{first.Name, second.Name}; !slices.Equal(got, []string{"early", "late"}) {
		t.Errorf("queued %v", got)
	}
}

// TestProgress: a progress changes at most twice a second; the last one and the
// completion are not delayed, and each causes a wake-up.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var g Group
		ended := make(chan error, 1)
		go func() { ended <- g.Start(ctx) }()
		reports, finish := make(chan int), make(chan error)
		var wakes []time.Duration
		op := Begin(t.Context(), &g, clock.RealClock{}, func(after time.Duration) { wakes = append(wakes, after) }, -1,
			func(_ context.Context, progress func(int)) (string, error) {
				for {
					select {
					case n := <-reports:
						progress(n)
					case err := <-finish:
						return "result", err
					}
				}
			})
		step := func(name string, act func(), progress int, woken ...time.Duration) {
			t.Helper()
			wakes = nil
			act()
			synctest.Wait()
			if got := wakes; !slices.Equal(got, woken) {
				t.Errorf("%s: woken after %v, want %v", name, got, woken)
			}
			if got := op.State(); got.Progress != progress || got.Done {
				t.Errorf("%s: %+v, want the progress %d", name, got, progress)
			}
		}
		step("begun", func() {}, -1)
		step("right after the beginning", func() { reports <- 1 }, -1, progressPause)
		step("first", func() { time.Sleep(progressPause) }, 1)
		step("too early", func() { reports <- 2 }, 1, progressPause)
		step("and once more", func() { reports <- 3 }, 1) // its wake-up is already scheduled
		step("when it is time", func() { time.Sleep(progressPause) }, 3)
		step("soon after", func() { reports <- 4 }, 3, progressPause)
		wakes = nil
		failure := errors.New("failed")
		finish <- failure
		synctest.Wait()
		want := State[int, string]{Progress: 4, Done: true, Result: "result", Err: failure}
		if got := op.State(); got != want || len(wakes) == 0 || wakes[len(wakes)-1] != 0 {
			t.Errorf("done: %+v, woken after %v, want %+v at once", got, wakes, want)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if Begin(t.Context(), &g, clock.RealClock{}, nil, 0, func(context.Context, func(int)) (int, error) { return 0, nil }) != nil {
			t.Error("an operation starts after the end of the group")
		}
	})
}

// TestEndOfGroup: when the manager stops, the group cancels its functions and waits for
// them.
func TestEndOfGroup(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var g Group
	finished := false
	if _, started := g.Go(context.Background(), func(ctx context.Context) {
		<-ctx.Done()
		time.Sleep(10 * time.Millisecond)
		finished = true
	}); !started {
		t.Fatal("not started")
	}
	cancel()
	if err := g.Start(ctx); err != nil || !finished {
		t.Errorf("Start = %v, finished %v", err, finished)
	}
	if len(g.cancels) != 0 {
		t.Errorf("%d are left", len(g.cancels))
	}
}
