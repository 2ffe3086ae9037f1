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

// lookInterval is how often the machine is looked at: nothing tells of what
// changes on it.
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
		seen:     w.seen,
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

// watcher looks at the machine again and again, outside of Reconcile, as limactl
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
			return nil // the look may have been cut short
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

// seen returns what the last look saw, nil where there was none yet. It must not
// be changed.
func (w *watcher) seen() *rddv1alpha1.HostInfoStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// reconciler makes the HostInfo, makes it say what was seen, and tells by Events
// what is wrong with the machine.
type reconciler struct {
	client   client.Client
	seen     func() *rddv1alpha1.HostInfoStatus
	store    string // the store's file; empty for another cluster's
	registry diagnostics.Registry
	reporter *diagnostics.Reporter
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	seen := r.seen()
	if seen == nil {
		return reconcile.Result{}, nil // the first look wakes this reconciler
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
		return reconcile.Result{}, fmt.Errorf("make the HostInfo %s: %w", request.Name, err)
	}
	if err := r.patchStatus(ctx, info, seen); err != nil {
		return reconcile.Result{}, err
	}
	r.diagnose(info)
	return reconcile.Result{}, nil
}

// diagnose goes by what was written, which does not go to and fro at a limit.
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

// patchStatus writes what was seen where it is another than what is written.
func (r *reconciler) patchStatus(ctx context.Context, info *rddv1alpha1.HostInfo, seen *rddv1alpha1.HostInfoStatus) error {
	if !changed(&info.Status, seen) {
		return nil
	}
	before := info.DeepCopy()
	seen.DeepCopyInto(&info.Status)
	return manager.PatchStatus(ctx, r.client, before, info)
}
