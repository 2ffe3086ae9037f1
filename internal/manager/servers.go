// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/passthrough"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/pki"
)

const (
	headerTimeout = 10 * time.Second
	closeTimeout  = time.Second
	// handlingTimeout is how long requests may take to end whose connection was closed.
	handlingTimeout = 10 * time.Second
)

// servers are the ports of a standalone manager: one for its health, which is
// open, and one with TLS for admission, passthrough and metrics. Admission is
// for whoever asks, as with all webhooks: its answers depend on nothing but the
// question. The others know their clients.
type servers struct {
	authority *pki.Authority
	token     string // by which passthrough knows the API server
	advertise string
	health    *http.Server
	healthAt  net.Listener
	secure    *http.Server
	secureAt  net.Listener
	serving   sync.WaitGroup
	handling  sync.RWMutex // held for reading by each request that is being answered
}

func (s *standalone) listen(ctx context.Context) (_ *servers, err error) {
	v := &servers{token: pki.NewToken(), advertise: s.Advertise}
	if v.authority, err = pki.NewAuthority(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	if err := serveHooks(mux, s.manager.Controllers, s.manager.Reader()); err != nil {
		return nil, err
	}
	mux.Handle(passthrough.Prefix, &passthrough.Server{Endpoints: s.manager.Endpoints, Token: v.token})
	authorized, err := s.authorized()
	if err != nil {
		return nil, err
	}
	metrics, err := authorized(log.Log.WithName("metrics"), promhttp.HandlerFor(s.manager.Metrics(), promhttp.HandlerOpts{}))
	if err != nil {
		return nil, err
	}
	mux.Handle("/metrics", metrics)
	v.secure = &http.Server{Handler: v.counted(mux), ReadHeaderTimeout: headerTimeout, TLSConfig: &tls.Config{
		GetCertificate: v.authority.Serving(time.Now, s.Advertise).GetCertificate,
		MinVersion:     tls.VersionTLS12,
	}}

	health := http.NewServeMux()
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		health.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	}
	v.health = &http.Server{Handler: health, ReadHeaderTimeout: headerTimeout}

	var config net.ListenConfig
	if v.healthAt, err = config.Listen(ctx, "tcp", net.JoinHostPort(s.Bind, strconv.Itoa(s.HealthPort))); err != nil {
		return nil, fmt.Errorf("listen for health checks: %w", err)
	}
	if v.secureAt, err = config.Listen(ctx, "tcp", net.JoinHostPort(s.Bind, strconv.Itoa(s.Port))); err != nil {
		_ = v.healthAt.Close()
		return nil, fmt.Errorf("listen for the API server: %w", err)
	}
	v.serving.Go(func() { _ = v.health.Serve(v.healthAt) })
	v.serving.Go(func() { _ = v.secure.ServeTLS(v.secureAt, "", "") })
	return v, nil
}

// authorized lets those through of whom the API server says that they may read
// the path.
func (s *standalone) authorized() (metricsserver.Filter, error) {
	client, err := rest.HTTPClientFor(s.manager.REST)
	if err != nil {
		return nil, err
	}
	return filters.WithAuthenticationAndAuthorization(s.manager.REST, client)
}

// counted has [servers.close] wait for the requests that a handler answers.
func (v *servers) counted(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.handling.RLock()
		defer v.handling.RUnlock()
		handler.ServeHTTP(w, r)
	})
}

// close ends the servers, and what is under way soon after. What that has begun, as a
// program that checks a template, is ended and cleaned up when it returns, unless that
// takes too long.
func (v *servers) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	for _, server := range []*http.Server{v.secure, v.health} {
		if err := server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			_ = server.Close()
		}
	}
	v.serving.Wait()
	handled := make(chan struct{})
	go func() { // ends with the process at the latest
		defer close(handled)
		v.handling.Lock()
	}()
	select {
	case <-handled:
	case <-time.After(handlingTimeout):
	}
}

func (v *servers) url() string {
	return "https://" + net.JoinHostPort(v.advertise, strconv.Itoa(port(v.secureAt)))
}

func port(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }

func (v *servers) webhooks(client kubernetes.Interface) Webhooks {
	return Webhooks{Client: client, URL: v.url(), CA: v.authority.CACert}
}

// entry describes the ports.
func (v *servers) entry() Entry {
	return Entry{
		HealthPort:          port(v.healthAt),
		MetricsPort:         port(v.secureAt),
		HealthEndpoint:      "http://" + net.JoinHostPort(v.advertise, strconv.Itoa(port(v.healthAt))) + "/healthz",
		MetricsEndpoint:     v.url() + "/metrics",
		PassthroughEndpoint: v.url(),
	}
}
