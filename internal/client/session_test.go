// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// nothingListens is a kubeconfig for an address at which no server listens.
const nothingListens = `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}], users: [{name: u, user: {}}]}`

// sessionToNothing returns a session whose API server does not answer, and how often it
// made a client.
func sessionToNothing(t *testing.T, clock *clocktesting.FakeClock) (*Session, *atomic.Int32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(nothingListens), 0o600); err != nil {
		t.Fatal(err)
	}
	made := &atomic.Int32{}
	return &Session{Clock: clock, Connect: func() (client.WithWatch, error) {
		made.Add(1)
		return New(path)
	}}, made
}

// TestOneClient: all requests of a command use one client, which reads the kubeconfig
// once; a wait whose connection was lost makes another.
func TestOneClient(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	s, made := sessionToNothing(t, clock)
	for range 3 {
		if _, err := s.App(t.Context()); err == nil {
			t.Fatal("nothing listens there")
		}
		if _, err := s.VMs(t.Context(), ""); err == nil {
			t.Fatal("nothing listens there")
		}
	}
	if n := made.Load(); n != 1 {
		t.Errorf("%d clients were made for six requests", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Wait(ctx, apps, appKey, func(client.Object) (bool, error) { return true, nil }) }()
	for made.Load() < 3 {
		waitFor(t, clock)
		clock.Step(retryPause)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// waitFor waits until the wait sleeps.
func waitFor(t *testing.T, clock *clocktesting.FakeClock) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !clock.HasWaiters(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the wait does not sleep")
		}
	}
}

// TestDaemonStaysAway: a wait ends when no daemon has run for a while, by the clock of the
// session.
func TestDaemonStaysAway(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	s := &Session{Clock: clock, Connect: func() (client.WithWatch, error) { return nil, errors.New("no kubeconfig") }}
	var alive atomic.Bool
	s.Alive = alive.Load
	alive.Store(true)
	began := clock.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := s.SettleApp(t.Context(), AppRequest{Generation: 1})
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			// It looks once a second whether the daemon lives.
			if took := clock.Since(began); !errors.Is(err, ErrEnded) || took < 2*time.Second+restartPatience || took > 5*time.Second+restartPatience {
				t.Errorf("it ended after %s: %v", took, err)
			}
			return
		case <-time.After(50 * time.Microsecond): // for the wait to sleep
		}
		if clock.HasWaiters() {
			clock.Step(retryPause)
			alive.Store(clock.Since(began) < 2*time.Second)
		}
	}
}

// TestStalledBefore: the App of a request without a new generation may be stalled for a
// reason that has ended since. The wait gives the controller time to check again.
func TestStalledBefore(t *testing.T) {
	stalled := &appv1alpha1.App{Status: appv1alpha1.AppStatus{Conditions: []metav1.Condition{
		{Type: appv1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: limav1alpha1.ReasonCreateFailed, ObservedGeneration: 3},
	}}}
	for generation, want := range map[int64]bool{3: true, 4: false} {
		stalled.Generation = generation
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(stalled)
		if err != nil {
			t.Fatal(err)
		}
		request, err := requestOfApp(&unstructured.Unstructured{Object: object})
		if err != nil || request.stale != want || request.Generation != generation {
			t.Errorf("generation %d: %+v, %v", generation, request, err)
		}
	}
	w := &settling{request: AppRequest{Generation: 3, stale: true}, report: func(string) {}}
	if done, err := w.observeStalled(stalled); done || err != nil {
		t.Errorf("stalled: %t, %v", done, err)
	}
	if done, err := w.observeStalled(&appv1alpha1.App{}); !done || err != nil {
		t.Errorf("not stalled any more: %t, %v", done, err)
	}
	// The limit passes by the session's clock.
	clock := clocktesting.NewFakeClock(time.Now())
	s := &Session{Clock: clock, Connect: func() (client.WithWatch, error) { return nil, errors.New("no kubeconfig") }}
	ended := make(chan error, 1)
	go func() { ended <- s.waitAtMost(t.Context(), observeLimit, apps, appKey, w.observeStalled) }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(50 * time.Microsecond):
			clock.Step(retryPause)
		}
	}
}

// TestSettling: a wait for the App ends when it has settled, or at once when it is
// stalled, and not for a failure after which the daemon tries again.
func TestSettling(t *testing.T) {
	const generation = 3
	condition := func(kind string, status metav1.ConditionStatus, reason string, generation int64) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "words", ObservedGeneration: generation}
	}
	settled := func(status metav1.ConditionStatus, reason string, generation int64) metav1.Condition {
		return condition(appv1alpha1.ConditionSettled, status, reason, generation)
	}
	stalled := func(status metav1.ConditionStatus, reason string, generation int64) metav1.Condition {
		return condition(appv1alpha1.ConditionStalled, status, reason, generation)
	}
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	const done, waits, fails = "done", "waits", "fails"
	for name, test := range map[string]struct {
		conditions []metav1.Condition
		reset      string
		want       string
	}{
		"nothing is known":             {nil, "", waits},
		"settled":                      {[]metav1.Condition{settled(yes, appv1alpha1.ReasonSettled, generation)}, "", done},
		"settled before":               {[]metav1.Condition{settled(yes, appv1alpha1.ReasonSettled, generation-1)}, "", waits},
		"settled before a reset":       {[]metav1.Condition{settled(yes, appv1alpha1.ReasonSettled, generation)}, "again", waits},
		"not yet":                      {[]metav1.Condition{settled(no, appv1alpha1.ReasonWaitingForVM, generation)}, "", waits},
		"a creation that failed":       {[]metav1.Condition{settled(no, limav1alpha1.ReasonCreateFailed, generation)}, "", waits},
		"a crash loop":                 {[]metav1.Condition{settled(no, limav1alpha1.ReasonCrashLoop, generation)}, "", waits},
		"a reason that may be stalled": {[]metav1.Condition{settled(no, appv1alpha1.ReasonTemplateRejected, generation)}, "", waits},
		"stalled": {[]metav1.Condition{settled(no, limav1alpha1.ReasonCreateFailed, generation),
			stalled(yes, limav1alpha1.ReasonCreateFailed, generation)}, "", fails},
		"stalled, for whichever reason": {[]metav1.Condition{settled(no, "Reason", generation), stalled(yes, "Reason", generation)}, "", fails},
		"stalled before": {[]metav1.Condition{settled(no, appv1alpha1.ReasonWaitingForVM, generation),
			stalled(yes, limav1alpha1.ReasonCreateFailed, generation-1)}, "", waits},
		"no longer known to be stalled": {[]metav1.Condition{settled(no, appv1alpha1.ReasonWaitingForVM, generation),
			stalled(metav1.ConditionUnknown, limav1alpha1.ReasonCreateFailed, generation)}, "", waits},
		"stalled while no process runs a controller": {[]metav1.Condition{settled(metav1.ConditionUnknown, "ControllerGone", generation)}, "", waits},
		"stalled before a reset": {[]metav1.Condition{settled(no, limav1alpha1.ReasonCreateFailed, generation),
			stalled(yes, limav1alpha1.ReasonCreateFailed, generation)}, "again", waits},
	} {
		w := &settling{request: AppRequest{Generation: generation, Reset: test.reset}, report: func(string) {}}
		got := waits
		switch is, err := w.observe(&appv1alpha1.App{Status: appv1alpha1.AppStatus{Conditions: test.conditions}}); {
		case err != nil:
			got = fails
		case is:
			got = done
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
