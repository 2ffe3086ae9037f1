// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	clientset "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/crd"
)

// ShutdownBudget is how long controllers may take to end.
const ShutdownBudget = 30 * time.Second

// Manager runs a selection of controllers against one API server.
type Manager struct {
	controllers []Controller
	rest        *rest.Config
	sole        bool
	log         *slog.Logger
	inner       ctrl.Manager

	// ending ends when the manager is told to end; end ends it.
	ending context.Context
	end    context.CancelFunc
}

// Config describes a manager.
type Config struct {
	Controllers []Controller
	// REST reaches the API server.
	REST *rest.Config
	// Sole says that the API server is RDD's own, see [crd.Installer].
	Sole bool
	Log  *slog.Logger
}

// New returns a manager that does nothing yet.
func New(cfg Config) *Manager {
	m := &Manager{controllers: cfg.Controllers, rest: cfg.REST, sole: cfg.Sole, log: cfg.Log}
	m.ending, m.end = context.WithCancel(context.Background())
	return m
}

// Install brings the controllers' definitions to the API server, and returns
// when it serves them.
func (m *Manager) Install(ctx context.Context) error {
	wanted, err := definitions(m.controllers)
	if err != nil {
		return err
	}
	client, err := clientset.NewForConfig(m.rest)
	if err != nil {
		return err
	}
	return crd.Installer{Client: client, Sole: m.sole}.Install(ctx, wanted)
}

// Setup adds the controllers. Their definitions must be served.
func (m *Manager) Setup() error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	for _, controller := range m.controllers {
		if err := controller.AddToScheme(scheme); err != nil {
			return err
		}
	}
	inner, err := ctrl.NewManager(m.rest, ctrl.Options{
		Scheme: scheme,
		Cache:  ctrlcache.Options{DefaultTransform: ctrlcache.TransformStripManagedFields()},
		NewCache: func(config *rest.Config, options ctrlcache.Options) (ctrlcache.Cache, error) {
			inner, err := ctrlcache.New(config, options)
			return endingCache{inner, m.ending}, err
		},
		// Tests run several managers in one process.
		Controller:              config.Controller{SkipNameValidation: ptr.To(true)},
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:  "0",
		GracefulShutdownTimeout: ptr.To(ShutdownBudget),
	})
	if err != nil {
		return err
	}
	for _, controller := range m.controllers {
		if controller.Setup == nil {
			continue
		}
		if err := controller.Setup(inner, m.log.With("controller", controller.Name)); err != nil {
			return fmt.Errorf("set up the controller %s: %w", controller.Name, err)
		}
	}
	m.inner = inner
	return nil
}

// Run runs the controllers until ctx ends, and then waits for them.
func (m *Manager) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, m.end)()
	return m.inner.Start(ctx)
}

// endingCache is a cache for whose first sync nobody waits any more when the
// manager ends. controller-runtime's manager would wait, for ever.
type endingCache struct {
	ctrlcache.Cache
	ending context.Context
}

// WaitForCacheSync implements [ctrlcache.Informers]. It is true of a manager
// that ends, whose controllers end by themselves.
func (c endingCache) WaitForCacheSync(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ending, cancel)()
	return c.Cache.WaitForCacheSync(ctx) || c.ending.Err() != nil
}

// WaitSynced returns when every kind of the controllers is in the caches. Run
// must have been called.
func (m *Manager) WaitSynced(ctx context.Context) error {
	wanted, err := definitions(m.controllers)
	if err != nil {
		return err
	}
	var synced []cache.DoneChecker
	for _, definition := range wanted {
		for _, version := range definition.Spec.Versions {
			kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}
			informer, err := m.inner.GetCache().GetInformerForKind(ctx, kind, ctrlcache.BlockUntilSynced(false))
			if err != nil {
				return fmt.Errorf("fill the cache of %s: %w", kind.Kind, err)
			}
			synced = append(synced, informer.HasSyncedChecker())
		}
	}
	if !cache.WaitFor(ctx, "", synced...) {
		return fmt.Errorf("fill the caches: %w", context.Cause(ctx))
	}
	return nil
}
