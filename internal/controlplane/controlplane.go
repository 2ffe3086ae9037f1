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

// readyPoll is how often the start of the API server is looked at.
const readyPoll = 5 * time.Millisecond

// Config describes a control plane. The first fields must be set.
type Config struct {
	// Listener is where clients outside the process come in. The control plane
	// closes it.
	Listener net.Listener
	// Identity has the authority of the listener's certificates.
	Identity *pki.Identity
	Store    Store
	// Now is the clock of the certificates; nil for the system's.
	Now func() time.Time
	// Version is what GET /version answers.
	Version string

	// Definitions are made where they are not there, as they are: with a status
	// that says they are established.
	Definitions []*apiextensionsv1.CustomResourceDefinition
	// Prepare is called when the API server answers, and before it reads what
	// policies there are.
	Prepare func(context.Context, kubernetes.Interface) error
	// Hooks decide about writes, see [Server.StartHooks].
	Hooks []admission.Hook
	// Handlers are served besides the API, for the path that is the key, and for
	// all that begin with it where it ends with a slash. Clients have been
	// authenticated, and authorised as for all paths that are no resources.
	Handlers map[string]http.Handler
	// Lasting are namespaces that no client may delete, besides Kubernetes' own.
	Lasting []string
	// Untracked are the resources whose fields' writers are not noted.
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
	// ownChecks are the names of Config.ReadyChecks, which say nothing about
	// the API server itself.
	ownChecks []string
}

// New composes a control plane. It does not serve before [Server.Run].
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
// rights. Requests made with it are function calls.
func (s *Server) ClientConfig() *rest.Config {
	return s.chain.loopback.config(s.token)
}

// Namespaces returns the API server's own informer of namespaces.
func (s *Server) Namespaces() cache.SharedIndexInformer {
	return s.chain.informers.Core().V1().Namespaces().Informer()
}

// StartHooks begins to ask the hooks, which read with the reader. Until then
// what they would be asked about is refused.
func (s *Server) StartHooks(reader client.Reader) { s.chain.hooked.start(reader) }

// KindsChanged gives a value after each change of the kinds that are served.
// Values may be merged, and are for one receiver.
func (s *Server) KindsChanged() <-chan struct{} { return s.chain.kindsChanged }

// Run serves until ctx ends, and then until what is under way has ended.
func (s *Server) Run(ctx context.Context) error {
	// When the end has come, what keeps net/http's shutdown waiting is idle
	// connections, whose peers are given a second to go by themselves.
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(watchDrain, s.listener.closeConns) })
	defer stop()
	prepared := s.chain.front.PrepareRun()
	s.chain.loopback.serve(prepared.Handler)
	return prepared.RunWithContext(ctx)
}

// Drain turns writes from outside the process away from now on.
func (s *Server) Drain() { s.drain.closed.Store(true) }

// WaitReady waits until the API server serves whatever it is going to serve,
// leaving the checks of Config.ReadyChecks aside.
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

// byPriority returns the versions without duplicates, as Kubernetes orders
// them: stable ones first, newer ones first.
func byPriority(versions []string) []string {
	return slices.SortedFunc(slices.Values(sets.New(versions...).UnsortedList()), func(a, b string) int {
		return version.CompareKubeAwareVersionStrings(b, a)
	})
}

// trackingListener knows its connections.
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
