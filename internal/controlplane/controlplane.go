// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/connlimit"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
)

// readyPoll is the interval between checks of the API server's start.
const readyPoll = 5 * time.Millisecond

// Config describes a control plane. The first fields are required.
type Config struct {
	// Listener accepts clients outside the process. The control plane closes it.
	Listener net.Listener
	// Identity has the certificate authority of the listener's certificates.
	Identity *pki.Identity
	Store    Store
	// Now is the clock of the certificates; nil for the system's.
	Now func() time.Time
	// Version is the version for GET /version.
	Version string

	// Definitions are created if they are missing, with their status, which says that
	// they are established.
	Definitions []*apiextensionsv1.CustomResourceDefinition
	// Prepare is called when the API server answers, before it reads the policies.
	Prepare func(context.Context, kubernetes.Interface) error
	// Hooks are the admission hooks, see [Server.StartHooks].
	Hooks []admission.Hook
	// Handlers are served besides the API, for the path that is the key, and for all
	// below it if the key ends with a slash. Clients are authenticated, and authorized
	// as for non-resource paths.
	Handlers map[string]http.Handler
	// Lasting are namespaces that no client may delete, in addition to Kubernetes' own.
	Lasting []string
	// Untracked are the resources without managed fields.
	Untracked []schema.GroupResource
	// ReadyChecks are added to GET /readyz.
	ReadyChecks []healthz.HealthChecker

	loopbackToken string
	drain         *drain
	serving       *serving
	authenticated func(address string)
}

// Server is a control plane.
type Server struct {
	chain    *chain
	listener *trackingListener
	drain    *drain
	token    string
	// ownChecks are the names of Config.ReadyChecks, which don't check the API server
	// itself.
	ownChecks []string
}

// New composes a control plane. [Server.Run] serves it.
func New(cfg Config) (*Server, error) {
	limited := connlimit.New(cfg.Listener, maxStrangers)
	cfg.authenticated = limited.Authenticated
	s := &Server{listener: newTrackingListener(limited), drain: &drain{}, token: pki.NewToken()}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	cfg.serving = &serving{certificates: cfg.Identity.Serving(now)}
	s.listener.before = cfg.serving.refresh
	cfg.Listener, cfg.drain, cfg.loopbackToken = s.listener, s.drain, s.token
	for _, check := range cfg.ReadyChecks {
		s.ownChecks = append(s.ownChecks, check.Name())
	}
	var err error
	if s.chain, err = newChain(cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// ClientConfig returns a configuration for clients in this process, with all
// permissions. Its requests are function calls.
func (s *Server) ClientConfig() *rest.Config {
	return s.chain.loopback.config(s.token)
}

// Namespaces returns the API server's own informer of namespaces.
func (s *Server) Namespaces() cache.SharedIndexInformer {
	return s.chain.informers.Core().V1().Namespaces().Informer()
}

// StartHooks enables the hooks, which read with the reader. Until then, requests for
// their resources are rejected.
func (s *Server) StartHooks(reader client.Reader) { s.chain.hooked.start(reader) }

// KindsChanged receives a value after each change of the served kinds. Values may be
// merged, and are for one receiver.
func (s *Server) KindsChanged() <-chan struct{} { return s.chain.kindsChanged }

// Run serves until ctx ends, and then until active requests have finished.
func (s *Server) Run(ctx context.Context) error {
	// At shutdown net/http waits a second for idle connections, whose clients may close
	// them: close them after watchDrain.
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(watchDrain, s.listener.closeConns) })
	defer stop()
	prepared := s.chain.front.PrepareRun()
	s.chain.loopback.serve(prepared.Handler)
	return prepared.RunWithContext(ctx)
}

// Drain rejects writes from other processes from now on.
func (s *Server) Drain() { s.drain.closed.Store(true) }

// WaitReady waits until the API server serves everything, without the checks of
// Config.ReadyChecks.
func (s *Server) WaitReady(ctx context.Context) error {
	query := url.Values{"exclude": s.ownChecks}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, loopbackHost+"/readyz?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	var last error
	for {
		if last = s.probe(request); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server did not become ready: %w (%w)", last, ctx.Err())
		case <-ticker.C:
		}
	}
}

func (s *Server) probe(request *http.Request) error {
	response, err := s.chain.loopback.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", body)
	}
	return nil
}

// byPriority returns the versions without duplicates, in Kubernetes' order: stable ones
// first, newer ones first.
func byPriority(versions []string) []string {
	return slices.SortedFunc(slices.Values(sets.New(versions...).UnsortedList()), func(a, b string) int {
		return version.CompareKubeAwareVersionStrings(b, a)
	})
}

// trackingListener tracks its connections.
type trackingListener struct {
	net.Listener
	before func() // called before a connection is served; set at the start

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu
}

func newTrackingListener(inner net.Listener) *trackingListener {
	return &trackingListener{Listener: inner, conns: map[net.Conn]struct{}{}}
}

// Accept implements [net.Listener].
func (l *trackingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.before()
	tracked := &trackedConn{Conn: conn, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[tracked] = struct{}{}
	return tracked, nil
}

func (l *trackingListener) closeConns() {
	l.mu.Lock()
	conns := l.conns
	l.conns = map[net.Conn]struct{}{}
	l.mu.Unlock()
	for conn := range conns {
		_ = conn.Close()
	}
}

type trackedConn struct {
	net.Conn
	listener *trackingListener
}

// Close implements [net.Conn].
func (c *trackedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
