// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/daemon/health"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/diskroom"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/webhook"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

// controllersMetrics is the path of the metrics of the daemon's controllers; the API
// server's are at /metrics.
const controllersMetrics = "/metrics/controllers"

// compose creates the control plane and its manager, without starting them.
func (d *daemon) compose() error {
	definitions, err := manifest.ParseEstablished(manager.Definitions(d.Controllers))
	if err != nil {
		return err
	}
	var hooks []admission.Hook
	for _, controller := range d.Controllers {
		hooks = append(hooks, controller.Hooks...)
	}
	for _, controller := range d.All {
		hooks = append(hooks, controller.Standing...)
	}
	handlers, err := d.handlers()
	if err != nil {
		return err
	}
	d.control, err = controlplane.New(controlplane.Config{
		Listener:    d.listener,
		Identity:    d.identity,
		Store:       d.store,
		Version:     version.Full(),
		Definitions: definitions,
		Prepare: func(ctx context.Context, client kubernetes.Interface) error {
			return manifest.InstallPolicies(ctx, client, manager.Policies(d.Controllers))
		},
		Hooks:       hooks,
		Handlers:    handlers,
		Lasting:     []string{manager.SystemNamespace}, // without its Leases, two processes could run the same controller
		Untracked:   containersv1alpha1.MirrorResources(),
		ReadyChecks: d.gates.Checks(),
	})
	if err != nil {
		return err
	}
	d.manager, err = manager.New(manager.Config{
		Controllers: d.Controllers,
		Known:       d.All,
		REST:        d.control.ClientConfig(),
		Sole:        true,
		Instance:    d.Instance,
		Holder:      manager.Embedded(),
		Log:         d.Log,
		Before:      d.dropWebhooks,
	})
	return err
}

// handlers are the daemon's additional endpoints.
func (d *daemon) handlers() (map[string]http.Handler, error) {
	certificate, err := tls.X509KeyPair(d.identity.Caller.Cert, d.identity.Caller.Key)
	if err != nil {
		return nil, err
	}
	return map[string]http.Handler{
		passthrough.Prefix: &passthrough.Router{
			Local:       func() passthrough.Endpoints { return d.manager.Endpoints() },
			Remote:      func(ctx context.Context) ([]passthrough.Remote, error) { return d.discovery().Remotes(ctx) },
			Certificate: certificate,
			Log:         d.Log,
		},
		health.Path: health.Handler(func(ctx context.Context) error {
			return diskroom.Explain(d.store.Writable(ctx), d.Instance.Written()...)
		}),
		controllersMetrics: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			promhttp.HandlerFor(d.manager.Metrics(), promhttp.HandlerOpts{}).ServeHTTP(w, r)
		}),
	}, nil
}

func (d *daemon) discovery() manager.Discovery { return manager.Discovery{Client: d.client} }

// entry describes the daemon's manager. Its health endpoint is the API server's.
func (d *daemon) entry() manager.Entry {
	port := d.listener.Addr().(*net.TCPAddr).Port
	url := "https://" + d.listener.Addr().String()
	return manager.Entry{
		EnabledControllers:  d.manager.Running(),
		EnabledPassthroughs: d.manager.Endpoints().Names(),
		HealthPort:          port,
		MetricsPort:         port,
		HealthEndpoint:      url + "/readyz",
		MetricsEndpoint:     url + controllersMetrics,
		PassthroughEndpoint: url + passthrough.Prefix,
		StartTime:           metav1.NewTime(d.started),
	}
}

// publish keeps the daemon's entry up to date: the daemon may take over a controller
// from another process.
func (d *daemon) publish(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.manager.Changed():
		}
		if err := d.discovery().Publish(ctx, manager.EmbeddedKey, d.entry()); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// dropWebhooks removes the webhooks of a stopped external process that ran the
// controller before: the API server now calls the hooks in this process.
func (d *daemon) dropWebhooks(ctx context.Context, controller manager.Controller) error {
	return webhook.Registration{Client: d.client}.Remove(ctx, controller)
}
