// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	coordinationlisters "k8s.io/client-go/listers/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/wording"
)

const (
	// markRetry is the pause after a failed write of conditions.
	markRetry = 2 * time.Second
	// listLimit is how many objects are read per request.
	listLimit = 100
)

// Config describes the control plane to watch. All fields are required.
type Config struct {
	// REST connects to the API server with all permissions.
	REST *rest.Config
	// Controllers are all controllers, wherever they run.
	Controllers []manager.Controller
	Clock       clock.Clock
	Log         *slog.Logger
}

// watcher sets the conditions of controllers that are gone to Unknown.
type watcher struct {
	Config
	leases  coordinationlisters.LeaseNamespaceLister
	objects dynamic.Interface
	events  record.EventRecorder
	known   map[string]*observed
	changed chan struct{} // holds a token after a Lease changed

	failures wording.Reported // for each controller
}

// observed is the observed state of a controller.
type observed struct {
	observation
	marked string // the version of the Lease at which all its conditions were marked
}

// Run watches the Leases until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	client, err := kubernetes.NewForConfig(cfg.REST)
	if err != nil {
		return err
	}
	w := &watcher{Config: cfg, known: map[string]*observed{}, changed: make(chan struct{}, 1)}
	if w.objects, err = dynamic.NewForConfig(cfg.REST); err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	w.events = broadcaster.NewRecorder(clientgoscheme.Scheme, corev1.EventSource{Component: "rdd"})

	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(manager.SystemNamespace))
	informer := factory.Coordination().V1().Leases()
	w.leases = informer.Lister().Leases(manager.SystemNamespace)
	wake := func(any) {
		select {
		case w.changed <- struct{}{}:
		default: // a token is already pending
		}
	}
	if _, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: wake, UpdateFunc: func(_, obj any) { wake(obj) }, DeleteFunc: wake,
	}); err != nil {
		return fmt.Errorf("watch the leases: %w", err)
	}
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
		return nil // ctx has ended
	}
	w.run(ctx)
	return nil
}

func (w *watcher) run(ctx context.Context) {
	for {
		var timer <-chan time.Time
		if again := w.pass(ctx); !again.IsZero() {
			timer = w.Clock.After(max(again.Sub(w.Clock.Now()), 0))
		}
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		case <-timer:
		}
	}
}

// pass checks all controllers once, and returns when to check again if no Lease
// changes; zero for never.
func (w *watcher) pass(ctx context.Context) (next time.Time) {
	for _, controller := range w.Controllers {
		if len(controller.Claims) == 0 {
			continue
		}
		again, err := w.check(ctx, controller)
		switch {
		case err == nil:
			w.failures.Clear(controller.Name)
		case ctx.Err() == nil && w.failures.Changed(controller.Name, err):
			w.Log.Warn("marking the conditions of a stopped controller as stale failed, will retry", "controller", controller.Name, "error", err)
		}
		if err != nil {
			again = w.Clock.Now().Add(markRetry)
		}
		if !again.IsZero() && (next.IsZero() || again.Before(next)) {
			next = again
		}
	}
	return next
}

func (w *watcher) check(ctx context.Context, controller manager.Controller) (again time.Time, err error) {
	lease, err := w.leases.Get(manager.LeaseName(controller.Name))
	if apierrors.IsNotFound(err) {
		lease, err = nil, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	known := w.known[controller.Name]
	if known == nil {
		known = &observed{}
		w.known[controller.Name] = known
	}
	gone, again := known.judge(lease, w.Clock.Now())
	if !gone || known.marked == known.version {
		return again, nil
	}
	if err := w.mark(ctx, controller, lease); err != nil {
		return time.Time{}, err
	}
	known.marked = known.version
	return time.Time{}, nil
}

// mark sets all conditions that the controller claims to Unknown.
func (w *watcher) mark(ctx context.Context, controller manager.Controller, lease *coordinationv1.Lease) error {
	absence := Absence{Controller: controller.Name, Holder: holder(lease)}
	for _, claim := range controller.Claims {
		options := metav1.ListOptions{Limit: listLimit}
		for {
			list, err := w.objects.Resource(claim.Resource).List(ctx, options)
			if apierrors.IsNotFound(err) {
				break // the kind is not served, so there is no object
			}
			if err != nil {
				return err
			}
			for i := range list.Items {
				if err := w.markObject(ctx, &list.Items[i], claim, absence); err != nil {
					return err
				}
			}
			if options.Continue = list.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	return nil
}

func (w *watcher) markObject(ctx context.Context, object *unstructured.Unstructured, claim manager.Claim, absence Absence) error {
	var status struct {
		Conditions []metav1.Condition `json:"conditions"`
	}
	raw, _, err := unstructured.NestedMap(object.Object, "status")
	if err != nil {
		return err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &status); err != nil {
		return err
	}
	if !absence.Mark(&status.Conditions, claim.Conditions, w.Clock.Now()) {
		return nil
	}
	marked, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(object.Object, marked["conditions"], "status", "conditions"); err != nil {
		return err
	}
	_, err = w.objects.Resource(claim.Resource).Namespace(object.GetNamespace()).UpdateStatus(ctx, object, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mark %s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName()), err)
	}
	w.events.Event(object, corev1.EventTypeWarning, containersv1alpha1.ReasonControllerGone, absence.Message())
	w.Log.Warn("no process runs a controller", "controller", absence.Controller, "lastHolder", absence.Holder,
		"kind", object.GetKind(), "namespace", object.GetNamespace(), "name", object.GetName())
	return nil
}
