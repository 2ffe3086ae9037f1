// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// ShutdownBudget bounds the shutdown of all controllers together.
const ShutdownBudget = 30 * time.Second

// ErrGone is the cause of the end of Run's context if the control plane is gone:
// the controllers have [GoneBudget] to stop, even if requests are pending.
var ErrGone = errors.New("the control plane is gone")

// GoneBudget bounds the shutdown of all controllers after [ErrGone]: the process must
// exit within 10 s.
const GoneBudget = 2 * time.Second

// errBudget is the error if controllers did not stop in time.
var errBudget = errors.New("did not stop in time")

// Config describes a manager.
type Config struct {
	Controllers []Controller
	// Known are controllers that run in other processes, for their types.
	Known []Controller
	// REST connects to the API server.
	REST *rest.Config
	// Sole is whether the API server is RDD's own, see [manifest.Installer].
	Sole bool
	// Instance is the RDD instance of the API server; nil in another cluster.
	Instance *instance.Instance
	// Holder holds the leases.
	Holder Holder
	// NoWait makes it an error if another process runs a controller.
	NoWait bool
	Log    *slog.Logger

	// Before is called before a controller starts in this process, and After when it
	// has stopped. Both may be nil.
	Before, After func(context.Context, Controller) error
}

// Manager runs a selection of controllers against one API server.
type Manager struct {
	Config
	scheme  *runtime.Scheme
	client  kubernetes.Interface
	inner   ctrl.Manager
	metrics *prometheus.Registry
	units   []*unit
	changed chan struct{}

	// ending ends when the manager begins to stop; end ends it.
	ending context.Context
	end    context.CancelFunc

	mu      sync.Mutex
	waiting map[string]string // guarded by mu; controllers to who runs them
}

// New returns a manager that is not started.
func New(cfg Config) (*Manager, error) {
	cfg.REST = AsControllers(cfg.REST)
	m := &Manager{Config: cfg, scheme: runtime.NewScheme(), metrics: prometheus.NewRegistry(),
		changed: make(chan struct{}, 1), waiting: map[string]string{}}
	m.ending, m.end = context.WithCancel(context.Background())
	if err := clientgoscheme.AddToScheme(m.scheme); err != nil {
		return nil, err
	}
	for _, controller := range slices.Concat(cfg.Controllers, cfg.Known) {
		if err := controller.AddToScheme(m.scheme); err != nil {
			return nil, err
		}
	}
	var err error
	m.client, err = kubernetes.NewForConfig(cfg.REST)
	return m, err
}

// Controllers' requests have user names of their own, which distinguish them from the
// user's: only a controller may change the objects that it owns.
const (
	ControllersUser  = "rdd:controllers"
	ControllersGroup = admission.ControllersGroup
)

// AsControllers returns the configuration with the identity of controllers.
func AsControllers(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: ControllersUser,
		Groups:   []string{ControllersGroup, "system:masters"},
	}
	return config
}

// Install installs the controllers' definitions and policies, and returns when the API
// server serves the kinds.
func (m *Manager) Install(ctx context.Context) error {
	var policies []manifest.Source
	if !m.Sole { // otherwise they are stored before the API server starts
		policies = Policies(m.Controllers)
	}
	return manifest.Installer{REST: m.REST, Sole: m.Sole}.Install(ctx, Definitions(m.Controllers), policies)
}

// Definitions returns the definitions of the controllers.
func Definitions(controllers []Controller) []manifest.Source {
	return collect(controllers, func(c Controller) []manifest.Source { return c.Definitions })
}

// Policies returns the policies of the controllers.
func Policies(controllers []Controller) []manifest.Source {
	return collect(controllers, func(c Controller) []manifest.Source { return c.Policies })
}

func collect(controllers []Controller, of func(Controller) []manifest.Source) []manifest.Source {
	var all []manifest.Source
	for _, controller := range controllers {
		for _, source := range of(controller) {
			if !slices.ContainsFunc(all, func(s manifest.Source) bool { return s.Path == source.Path }) {
				all = append(all, source)
			}
		}
	}
	return all
}

// Setup creates the caches and clients. The definitions must be served.
func (m *Manager) Setup(ctx context.Context) error {
	var err error
	m.inner, err = ctrl.NewManager(m.REST, ctrl.Options{
		Scheme: m.scheme,
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
	for _, controller := range m.Controllers {
		u := newUnit(m, controller)
		if controller.Setup != nil {
			u.lease = &lease{client: m.client, name: leasePrefix + controller.Name, holder: m.Holder, clock: clock.RealClock{}, log: m.Log}
		}
		m.units = append(m.units, u)
	}
	return m.giveUp(ctx)
}

// Scheme has the types that the controllers use.
func (m *Manager) Scheme() *runtime.Scheme { return m.scheme }

// Reader reads from the API server, not from a cache. Call Setup first.
func (m *Manager) Reader() client.Reader { return m.inner.GetAPIReader() }

// giveUp releases the leases of an earlier run with the same identity for controllers
// that are not selected now.
func (m *Manager) giveUp(ctx context.Context) error {
	all, err := m.client.CoordinationV1().Leases(SystemNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("read the leases: %w", err)
	}
	for i := range all.Items {
		item := &all.Items[i]
		name, ours := strings.CutPrefix(item.Name, leasePrefix)
		runs := slices.ContainsFunc(m.Controllers, func(c Controller) bool { return c.Name == name })
		if !ours || runs || ptr.Deref(item.Spec.HolderIdentity, "") != m.Holder.Identity {
			continue
		}
		if err := (&lease{client: m.client, name: item.Name, holder: m.Holder, last: item}).free(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the controllers until ctx ends, and then stops them in reverse order, each
// after the next one has stopped.
func (m *Manager) Run(ctx context.Context) error {
	defer m.end()
	caches, stopCaches := context.WithCancel(context.Background())
	failed := make(chan error, len(m.units)+1)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.inner.Start(caches); err != nil {
			failed <- err
		}
	})
	defer wg.Wait()
	defer stopCaches()
	for _, u := range m.units {
		u.start(func(err error) { failed <- err })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	m.end()
	return errors.Join(err, m.stop(ctx))
}

func (m *Manager) stop(ctx context.Context) error {
	allowed := ShutdownBudget
	if errors.Is(context.Cause(ctx), ErrGone) {
		allowed = GoneBudget
	}
	budget := time.NewTimer(allowed)
	defer budget.Stop()
	var late []string
	expired := false
	for _, u := range slices.Backward(m.units) {
		u.cancel()
		if expired {
			continue
		}
		select {
		case <-u.done:
		case <-budget.C:
			expired = true
		}
	}
	if !expired {
		return nil
	}
	for _, u := range m.units {
		select {
		case <-u.done:
		default:
			late = append(late, u.Name)
		}
	}
	return fmt.Errorf("controllers %s %w", strings.Join(late, ", "), errBudget)
}

// afterwards does the cleanup for a controller that has stopped.
func (m *Manager) afterwards(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), afterwardsTimeout)
	defer cancel()
	return do(ctx)
}

// afterwardsTimeout bounds each request of such a cleanup.
const afterwardsTimeout = 2 * time.Second

// Running returns the sorted names of the controllers that are running here.
func (m *Manager) Running() []string {
	names := []string{} // [] and not null in JSON
	for _, u := range m.units {
		if u.isRunning() {
			names = append(names, u.Name)
		}
	}
	return names
}

// Settled reports whether each controller either runs here, or is known to run in
// another process.
func (m *Manager) Settled() bool {
	for _, u := range m.units {
		select {
		case <-u.settled:
		default:
			return false
		}
	}
	return true
}

// Reconciles reports whether a controller with a Setup runs here.
func (m *Manager) Reconciles() bool {
	return slices.ContainsFunc(m.units, func(u *unit) bool { return u.Setup != nil && u.isRunning() })
}

// Waiting returns the controllers that run in other processes, with their holders.
func (m *Manager) Waiting() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	waiting := map[string]string{}
	for _, u := range m.units {
		if holder, ok := m.waiting[u.Name]; ok && !u.isRunning() {
			waiting[u.Name] = holder
		}
	}
	return waiting
}

func (m *Manager) waitsFor(controller, holder string) {
	m.mu.Lock()
	m.waiting[controller] = holder
	m.mu.Unlock()
	m.tellChanged()
}

// Changed receives a value after changes of the result of Running or Waiting. Values
// may be merged, and are for one receiver.
func (m *Manager) Changed() <-chan struct{} { return m.changed }

func (m *Manager) tellChanged() {
	select {
	case m.changed <- struct{}{}:
	default: // one is already pending
	}
}

// Endpoints returns the endpoints of the controllers that are running here.
func (m *Manager) Endpoints() passthrough.Endpoints {
	endpoints := passthrough.Endpoints{}
	for _, u := range m.units {
		if u.isRunning() && len(u.endpoints) > 0 {
			endpoints[u.Name] = u.endpoints
		}
	}
	return endpoints
}

// Metrics returns the metrics of controllers: controller-runtime's and their own.
func (m *Manager) Metrics() prometheus.Gatherer {
	return prometheus.Gatherers{metrics.Registry, m.metrics}
}
