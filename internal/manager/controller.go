// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// Controller is one controller, or one kind with its admission: the unit that is
// selected, and runs in one place at a time.
type Controller struct {
	// Name is unique in the program.
	Name string
	// Group is the first part of the API group's name.
	Group string
	// DependsOn names the controllers that this one requires.
	DependsOn []string

	// Definitions of the kinds that the controller uses, including those of other
	// controllers.
	Definitions []manifest.Source
	// Policies are the CEL policies for writes of its kinds.
	Policies []manifest.Source
	// Hooks are the admission hooks for writes of its kinds.
	Hooks []admission.Hook
	// Standing are admission hooks of RDD's own control plane, which calls them
	// wherever the controller runs. No other API server calls them.
	Standing []admission.Hook
	// Claims are the conditions that only this controller writes.
	Claims []Claim
	// AddToScheme registers the types that the controller uses.
	AddToScheme func(*runtime.Scheme) error

	// Setup adds the controller to its host. It is nil for a kind without a controller.
	Setup func(Host) error

	// Bind returns the controller for an instance, with Hooks and Setup, if they depend
	// on the instance; otherwise it is nil.
	Bind func(*instance.Instance) Controller
}

// Claim names the conditions of a kind that describe the present. They may be stale
// when no process runs their controller.
type Claim struct {
	Resource   schema.GroupVersionResource
	Conditions []string
}

// Bind returns the controllers for an instance.
func Bind(controllers []Controller, inst *instance.Instance) []Controller {
	bound := slices.Clone(controllers)
	for i := range bound {
		if bound[i].Bind != nil {
			bound[i] = bound[i].Bind(inst)
		}
	}
	return bound
}

// Host is the environment of a controller.
type Host struct {
	// Manager has the caches and clients that all controllers share. Runnables that are
	// added to it run while the controller does.
	ctrl.Manager
	Log *slog.Logger
	// Metrics registers the controller's own metrics.
	Metrics prometheus.Registerer
	// Instance is the RDD instance of the API server; nil in another cluster.
	Instance *instance.Instance

	endpoints map[string]http.Handler
}

// Serve registers a handler as an endpoint of the controller, which clients reach as
// /passthrough/<controller>/<endpoint>/… on the API server's port. The API server has
// authenticated and authorized them; the handler gets the path after the endpoint. Call
// it in Setup.
func (h Host) Serve(endpoint string, handler http.Handler) { h.endpoints[endpoint] = handler }

// conflictPause is the delay for a cache to receive another client's write.
const conflictPause = 20 * time.Millisecond

// Patient returns a reconciler that retries conflicts with other clients' writes
// without an error.
func Patient(inner reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		result, err := inner.Reconcile(ctx, request)
		if apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: conflictPause}, nil
		}
		return result, err
	})
}
