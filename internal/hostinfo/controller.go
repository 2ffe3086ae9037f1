// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// lookInterval is the interval between reads of the machine's state, whose changes
// cause no events.
const lookInterval = 10 * time.Second

// Setup adds the controller of the HostInfo to its host.
func Setup(host manager.Host) error {
	clock := clock.RealClock{}
	places := thisMachine()
	if host.Instance != nil {
		places.Data = host.Instance.Dir()
	}
	return setup(host, NewProbe(places, clock).Look, clock)
}

func setup(host manager.Host, look func(context.Context) rddv1alpha1.HostInfoStatus, clock clock.WithTicker) error {
	w := &watcher{look: look, clock: clock}
	if err := host.Add(w); err != nil {
		return err
	}
	r := &reconciler{
		client:   host.GetClient(),
		observed: w.observed,
		registry: diagnostics.Known(),
		reporter: diagnostics.NewReporter(bounded.Events(host.GetEventRecorderFor("hostinfo")), //nolint:staticcheck // RDD serves core Events only
			diagnostics.HostInfoEvents),
	}
	if host.Instance != nil {
		r.store = host.Instance.StoreFile()
	}
	return ctrl.NewControllerManagedBy(host).
		Named("hostinfo").
		WithOptions(controller.Options{NewQueue: manager.NewQueue}).
		For(&rddv1alpha1.HostInfo{}).
		WatchesRawSource(w.waker.Source()).
		Complete(manager.Patient(r))
}

// watcher reads the machine's state periodically, outside of Reconcile, because limactl
// may be slow. It is a runnable of its manager.
type watcher struct {
	look  func(context.Context) rddv1alpha1.HostInfoStatus
	clock clock.WithTicker

	waker background.Waker

	mu     sync.Mutex
	latest *rddv1alpha1.HostInfoStatus // guarded by mu; nil before the first look
}

// Start implements manager.Runnable.
func (w *watcher) Start(ctx context.Context) error {
	ticker := w.clock.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		status := w.look(ctx)
		if ctx.Err() != nil {
			return nil // the result may be incomplete
		}
		w.mu.Lock()
		w.latest = &status
		w.mu.Unlock()
		w.waker.Wake(reconcile.Request{NamespacedName: client.ObjectKey{Name: rddv1alpha1.HostInfoName}})
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// observed returns the last observed state, nil before the first one. The caller must not
// change it.
func (w *watcher) observed() *rddv1alpha1.HostInfoStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// reconciler creates the HostInfo, writes the observed state into it, and reports
// problems of the machine by Events.
type reconciler struct {
	client   client.Client
	observed func() *rddv1alpha1.HostInfoStatus
	store    string // the store's file; empty in another cluster
	registry diagnostics.Registry
	reporter *diagnostics.Reporter
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	observed := r.observed()
	if observed == nil {
		return reconcile.Result{}, nil // the first observation wakes this reconciler
	}
	info := &rddv1alpha1.HostInfo{}
	err := r.client.Get(ctx, request.NamespacedName, info)
	if apierrors.IsNotFound(err) {
		info.ObjectMeta = metav1.ObjectMeta{Name: request.Name}
		err = r.client.Create(ctx, info)
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		return reconcile.Result{}, nil // its watch event wakes this reconciler
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("create the HostInfo %s: %w", request.Name, err)
	}
	if err := r.patchStatus(ctx, info, observed); err != nil {
		return reconcile.Result{}, err
	}
	r.diagnose(info)
	return reconcile.Result{}, nil
}

// diagnose uses the written state, which does not oscillate at a limit.
func (r *reconciler) diagnose(info *rddv1alpha1.HostInfo) {
	var observed diagnostics.Observed
	if disk := info.Status.Disk; known(disk) {
		observed.Disk = &diagnostics.Disk{Path: disk.Path, Free: disk.Free.Value(), Total: disk.Total.Value()}
	}
	if size, ok := StoreSize(r.store); ok {
		observed.Store = &diagnostics.Store{Path: r.store, Size: size}
	}
	r.reporter.Report(r.registry.Diagnose(observed), info)
}

// patchStatus writes the observed state if it has changed.
func (r *reconciler) patchStatus(ctx context.Context, info *rddv1alpha1.HostInfo, observed *rddv1alpha1.HostInfoStatus) error {
	if !changed(&info.Status, observed) {
		return nil
	}
	before := info.DeepCopy()
	observed.DeepCopyInto(&info.Status)
	return manager.PatchStatus(ctx, r.client, before, info)
}
