// SPDX-License-Identifier: Apache-2.0

package liveness_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror"
)

// watched is a control plane with an engine whose condition says that it is connected,
// and a Lease of one second.
type watched struct {
	*testing.T
	kube  ctrlclient.Client
	ce    *containersv1alpha1.ContainerEngine
	lease *coordinationv1.Lease
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	control := controlplanetest.Start(t)
	controllers := mirror.Controllers(open.Drivers())
	control.Install(manager.Definitions(controllers))
	scheme := runtime.NewScheme()
	w := &watched{T: t}
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, coordinationv1.AddToScheme, containersv1alpha1.AddToScheme} {
		w.must(add(scheme))
	}
	var err error
	w.kube, err = ctrlclient.New(control.Server.ClientConfig(), ctrlclient.Options{Scheme: scheme})
	w.must(err)
	for _, name := range []string{manager.SystemNamespace, "ns"} {
		w.must(w.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	w.ce = &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: "moby", Namespace: "ns"}}
	w.ce.Spec.Type, w.ce.Spec.Endpoint = containersv1alpha1.EngineMoby, "unix:///x.sock"
	w.must(w.kube.Create(t.Context(), w.ce))
	w.must(w.kube.Create(t.Context(), &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{Name: "new", Namespace: "ns"}, Spec: w.ce.Spec}))
	w.connected()
	w.lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: manager.SystemNamespace, Name: manager.LeaseName("engine")}}
	w.lease.Spec.LeaseDurationSeconds = ptr.To[int32](1)
	w.lease.Spec.HolderIdentity = ptr.To("other process")
	w.must(w.kube.Create(t.Context(), w.lease))

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := liveness.Run(ctx, liveness.Config{
			REST: control.Server.ClientConfig(), Controllers: controllers, Clock: clock.RealClock{}, Log: slog.New(slog.DiscardHandler),
		}); err != nil {
			t.Errorf("it ended: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

func (w *watched) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// connected writes the controller's conditions.
func (w *watched) connected() {
	w.Helper()
	w.must(w.kube.Get(w.Context(), ctrlclient.ObjectKeyFromObject(w.ce), w.ce))
	w.ce.Status.ObservedGeneration = w.ce.Generation
	for kind, reason := range map[string]string{
		containersv1alpha1.ConditionReady:    containersv1alpha1.ReasonConnected,
		containersv1alpha1.ConditionComplete: containersv1alpha1.ReasonComplete,
	} {
		apimeta.SetStatusCondition(&w.ce.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, ObservedGeneration: w.ce.Generation})
	}
	w.must(w.kube.Status().Update(w.Context(), w.ce))
}

// is waits until both conditions have a status.
func (w *watched) is(want metav1.ConditionStatus, limit time.Duration) {
	w.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		w.must(w.kube.Get(w.Context(), ctrlclient.ObjectKeyFromObject(w.ce), w.ce))
		if apimeta.IsStatusConditionPresentAndEqual(w.ce.Status.Conditions, containersv1alpha1.ConditionReady, want) &&
			apimeta.IsStatusConditionPresentAndEqual(w.ce.Status.Conditions, containersv1alpha1.ConditionComplete, want) {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("the conditions never became %s: %+v", want, w.ce.Status.Conditions)
		}
	}
}

// renew changes the Lease as its holder would; an empty holder releases it.
func (w *watched) renew(holder string) {
	w.Helper()
	w.lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
	w.lease.Spec.HolderIdentity = nil
	if holder != "" {
		w.lease.Spec.HolderIdentity = &holder
	}
	w.must(w.kube.Update(w.Context(), w.lease))
}

// TestConditionsOfAControllerThatIsGone: the conditions become Unknown when the Lease
// has expired or was released, and stay as the controller writes them when it is back.
func TestConditionsOfAControllerThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	for range 6 { // for six seconds, renew it
		w.renew("other process")
		time.Sleep(500 * time.Millisecond)
	}
	w.is(metav1.ConditionTrue, 0)
	w.is(metav1.ConditionUnknown, 20*time.Second)
	for _, c := range w.ce.Status.Conditions {
		if c.Reason != containersv1alpha1.ReasonControllerGone || c.ObservedGeneration != w.ce.Generation || c.Message == "" {
			t.Errorf("the condition is %+v", c)
		}
	}
	var fresh containersv1alpha1.ContainerEngine
	w.must(w.kube.Get(t.Context(), ctrlclient.ObjectKey{Namespace: "ns", Name: "new"}, &fresh))
	if len(fresh.Status.Conditions) > 0 {
		t.Errorf("an object that no controller acted on has %+v", fresh.Status.Conditions)
	}
	w.renew("another process")
	w.connected()
	for range 4 {
		w.renew("another process")
		time.Sleep(500 * time.Millisecond)
	}
	w.is(metav1.ConditionTrue, 0)
	w.renew("")
	w.is(metav1.ConditionUnknown, 20*time.Second)

	var events corev1.EventList
	w.must(w.kube.List(t.Context(), &events, ctrlclient.InNamespace("ns")))
	n := 0
	for _, e := range events.Items {
		if e.Reason == containersv1alpha1.ReasonControllerGone {
			n++
		}
	}
	if n == 0 {
		t.Error("no Event tells of it")
	}
}
