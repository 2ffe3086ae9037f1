// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

type listCall struct {
	kind  engine.Kind
	limit time.Duration
	reply chan error
}

// newTestLists returns lists whose calls the test answers, and how often each
// was used.
func newTestLists(t *testing.T) (l *lists, calls chan listCall, used *atomic.Int32) {
	calls, used = make(chan listCall), &atomic.Int32{}
	p := newProblems(clock.RealClock{}, func(key engine.Key) string { return string(key.Kind) })
	l = newLists(clock.RealClock{}, p, func(ctx context.Context, kind engine.Kind) ([]engine.Item, bool, error) {
		deadline, _ := ctx.Deadline()
		call := listCall{kind, time.Until(deadline), make(chan error, 1)}
		select {
		case calls <- call:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		select {
		case err := <-call.reply:
			return nil, err == nil, err
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}, func(engine.Kind, []engine.Item, bool, *batch) { used.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	l.connect(ctx, make(chan error, 1))
	t.Cleanup(l.disconnect)
	t.Cleanup(cancel)
	return l, calls, used
}

func TestListsBesideEachOther(t *testing.T) {
	t.Parallel()
	l, calls, used := newTestLists(t)
	b := newBatch()
	complete := l.compare(b)
	var open []listCall
	for range engine.Kinds { // all of them, before the first is answered
		open = append(open, <-calls)
	}
	for _, call := range open {
		call.reply <- nil
	}
	if !<-complete || used.Load() != int32(len(engine.Kinds)) {
		t.Errorf("%d lists were used", used.Load())
	}
	<-b.finished()
}

// TestListThatFails: it is tried again, the comparison ends when that is said, and
// the next comparison does not wait.
func TestListThatFails(t *testing.T) {
	t.Parallel()
	l, calls, used := newTestLists(t)
	stop := make(chan struct{})
	heal := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		for {
			select {
			case call := <-calls:
				select {
				case <-heal:
					call.reply <- nil
				default:
					if call.kind == engine.KindVolume {
						call.reply <- errors.New("broken")
					} else {
						call.reply <- nil
					}
				}
			case <-stop:
				return
			}
		}
	}()
	began := time.Now()
	if <-l.compare(newBatch()) {
		t.Error("it is complete")
	}
	if took := time.Since(began); took < problemGrace/2 || took > 2*problemGrace {
		t.Errorf("it took %s", took)
	}
	key := engine.Key{Kind: engine.KindVolume}
	if s := l.problems.summary(); s.Count != 1 || s.Reason != containersv1alpha1.ReasonListFailed {
		t.Errorf("said is %+v", s)
	}
	began = time.Now()
	if <-l.compare(newBatch()) || time.Since(began) > problemGrace/2 {
		t.Errorf("the next one took %s", time.Since(began))
	}
	before := used.Load()
	close(heal)
	for deadline := time.Now().Add(30 * time.Second); used.Load() == before || l.problems.has(key, containersv1alpha1.ReasonListFailed); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never healed")
		}
	}
}

// TestListLimitGrows with what the engine needed before, and not without end.
func TestListLimitGrows(t *testing.T) {
	t.Parallel()
	l, _, _ := newTestLists(t)
	for _, step := range []struct{ took, want time.Duration }{
		{time.Second, 30 * time.Second}, {30 * time.Second, time.Minute}, {10 * time.Second, time.Minute}, {time.Minute, 2 * time.Minute}, {time.Hour, 5 * time.Minute},
	} {
		l.took(engine.KindImage, step.took)
		if got := l.limit(engine.KindImage); got != step.want {
			t.Errorf("after %s the limit is %s, want %s", step.took, got, step.want)
		}
	}
	if got := l.limit(engine.KindVolume); got != listLimit {
		t.Errorf("another kind's limit is %s", got)
	}
}

// TestRequestedLists: however many requests come while a list is under way, one
// more is made.
func TestRequestedLists(t *testing.T) {
	t.Parallel()
	l, calls, used := newTestLists(t)
	l.request(engine.KindVolume, 0)
	first := <-calls
	for range 50 {
		l.request(engine.KindVolume, 0)
	}
	first.reply <- nil
	second := <-calls
	second.reply <- nil
	select {
	case <-calls:
		t.Error("there is a third list")
	case <-time.After(200 * time.Millisecond):
	}
	if used.Load() < 2 {
		t.Errorf("%d lists were used", used.Load())
	}
}
