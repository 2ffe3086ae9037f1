// SPDX-License-Identifier: Apache-2.0

package standalone

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/connlimit"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/webhook"
)

const (
	closeTimeout = time.Second
	// handlingTimeout is how long the handlers of closed connections may take to
	// return.
	handlingTimeout = 10 * time.Second

	// maxStrangers is how many unauthenticated connections a port keeps.
	maxStrangers = 64

	// Limits of concurrent and long requests of admission and metrics.
	maxAdmissions    = 64
	admissionWait    = time.Second
	admissionTimeout = webhook.Timeout
	maxReview        = 8 << 20 // bytes; two objects of the API server's maximum size
	maxScrapes       = 4
	scrapeWait       = time.Second
	scrapeTimeout    = 10 * time.Second
)

// servers are the ports of a standalone manager: an open one for health checks, and one
// with TLS for admission, passthrough and metrics, which authenticates each client.
type servers struct {
	authority *pki.Authority
	token     string // with which the API server authenticates to passthrough
	path      string // of admission; a secret of the API server, new at each start
	advertise string
	health    *http.Server
	healthAt  *connlimit.Listener
	secure    *http.Server
	secureAt  *connlimit.Listener
	serving   sync.WaitGroup
	handling  sync.RWMutex // held for reading by each active request
}

func (s *run) listen(ctx context.Context) (_ *servers, err error) {
	v := &servers{token: pki.NewToken(), path: webhook.Path + pki.NewToken() + "/", advertise: s.Advertise}
	if v.authority, err = pki.NewAuthority(); err != nil {
		return nil, err
	}
	callers, err := s.callers()
	if err != nil {
		return nil, err
	}
	door, err := s.door(v, callers != nil)
	if err != nil {
		return nil, err
	}
	v.secure = s.server(v.counted(door))
	v.secure.TLSConfig = &tls.Config{
		GetCertificate: v.authority.Serving(time.Now, s.Advertise).GetCertificate,
		MinVersion:     tls.VersionTLS13,
	}
	if callers != nil {
		v.secure.TLSConfig.ClientAuth, v.secure.TLSConfig.ClientCAs = tls.VerifyClientCertIfGiven, callers
	}
	v.health = s.server(http.HandlerFunc(serveHealth))
	if v.healthAt, err = s.bind(ctx, s.HealthPort); err != nil {
		return nil, fmt.Errorf("listen for health checks: %w", err)
	}
	if v.secureAt, err = s.bind(ctx, s.Port); err != nil {
		_ = v.healthAt.Close()
		return nil, fmt.Errorf("listen for the API server: %w", err)
	}
	v.serving.Go(func() { _ = v.health.Serve(v.healthAt) })
	v.serving.Go(func() { _ = v.secure.ServeTLS(v.secureAt, "", "") })
	return v, nil
}

// callers returns the authorities of the API server's client certificate; nil if it has
// none, as in another cluster.
func (s *run) callers() (*x509.CertPool, error) {
	if !s.discovers {
		return nil, nil
	}
	config, err := rest.TLSConfigFor(s.REST)
	if err != nil {
		return nil, err
	}
	if config == nil || config.RootCAs == nil {
		return nil, fault.New(fault.Usage, "", "", fmt.Errorf("the kubeconfig for %s has no certificate authority to verify "+
			"the API server with: write one with `rdd service config --file FILE`", s.REST.Host))
	}
	return config.RootCAs, nil
}

// door returns the handler of the secure port.
func (s *run) door(v *servers, certified bool) (http.Handler, error) {
	hooks := http.NewServeMux()
	if err := webhook.Serve(hooks, v.path, s.manager.Controllers, s.manager.Reader()); err != nil {
		return nil, err
	}
	gathered := promhttp.HandlerFor(s.manager.Metrics(), promhttp.HandlerOpts{})
	metrics := scrapers{client: s.client, log: func(message string, err error) { s.Log.Warn(message, "error", err) },
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v.secureAt.Authenticated(r.RemoteAddr)
			gathered.ServeHTTP(w, r)
		})}
	return &door{
		servers:   v,
		certified: certified,
		admission: newLimit(maxAdmissions, admissionWait, admissionTimeout, maxReview).bound(hooks),
		metrics:   newLimit(maxScrapes, scrapeWait, scrapeTimeout, 0).bound(metrics),
		endpoints: &passthrough.Server{Endpoints: s.manager.Endpoints, Token: v.token},
	}, nil
}

// door routes requests to what their clients may use.
type door struct {
	servers *servers
	// certified is whether the API server has a client certificate.
	certified          bool
	admission, metrics http.Handler
	endpoints          *passthrough.Server
}

// ServeHTTP implements [http.Handler].
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	called := !d.certified || pki.IsCaller(r.TLS)
	switch path := r.URL.Path; {
	case path == "/metrics":
		d.metrics.ServeHTTP(w, r) // which authenticates
	case called && d.servers.isAdmission(path):
		d.servers.secureAt.Authenticated(r.RemoteAddr)
		d.admission.ServeHTTP(w, r)
	case called && strings.HasPrefix(path, passthrough.Prefix) && d.endpoints.Admits(r):
		d.servers.secureAt.Authenticated(r.RemoteAddr)
		d.endpoints.ServeHTTP(w, r)
	default:
		refuse(w, r)
	}
}

// isAdmission reports whether a path starts with the secret of admission.
func (v *servers) isAdmission(path string) bool {
	return len(path) > len(v.path) && subtle.ConstantTimeCompare([]byte(path[:len(v.path)]), []byte(v.path)) == 1
}

// serveHealth reports that the process is alive, and nothing else.
func serveHealth(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedTimeout))
	switch path := r.URL.Path; {
	case r.Method != http.MethodGet && r.Method != http.MethodHead, path != "/healthz" && path != "/livez" && path != "/readyz":
		http.Error(w, "forbidden", http.StatusForbidden)
	default:
		_, _ = w.Write([]byte("ok"))
	}
}

// server returns a server with the common limits.
func (s *run) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // unauthenticated clients must not fill the log
	}
}

func (s *run) bind(ctx context.Context, port int) (*connlimit.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(s.Bind, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return connlimit.New(listener, maxStrangers), nil
}

// counted makes [servers.close] wait for the requests of a handler.
func (v *servers) counted(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.handling.RLock()
		defer v.handling.RUnlock()
		handler.ServeHTTP(w, r)
	})
}

// close stops the servers, and cancels active requests soon after. It waits for their
// handlers, so that they clean up, for example after a validation, unless that takes
// too long.
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
	go func() { // returns at the process's end at the latest
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

func (v *servers) webhooks(client kubernetes.Interface) webhook.Registration {
	return webhook.Registration{Client: client, URL: v.url() + v.path, CA: v.authority.CACert}
}

// entry describes the ports.
func (v *servers) entry() manager.Entry {
	return manager.Entry{
		HealthPort:          port(v.healthAt),
		MetricsPort:         port(v.secureAt),
		HealthEndpoint:      "http://" + net.JoinHostPort(v.advertise, strconv.Itoa(port(v.healthAt))) + "/healthz",
		MetricsEndpoint:     v.url() + "/metrics",
		PassthroughEndpoint: v.url(),
	}
}
