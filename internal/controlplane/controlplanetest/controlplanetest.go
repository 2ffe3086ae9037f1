// SPDX-License-Identifier: Apache-2.0

// Package controlplanetest runs a control plane in the process of a test.
package controlplanetest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/housekeeping"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/store"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/logging"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

const readyTimeout = time.Minute

// quiet keeps the libraries' logs out of the tests' output, once, because they are
// global.
var quiet = sync.OnceFunc(func() {
	logging.Capture(slog.New(slog.DiscardHandler), nil, func(reason string) { panic(reason) })
})

// Quiet keeps the libraries' logs out of a test's output, as [Start] does. Call it
// before a test uses gRPC itself: the library's logger is set once, and without a lock.
func Quiet() { quiet() }

// Env is a running control plane.
type Env struct {
	// Dir has the store and the keys. A control plane that is started again in it
	// continues with them.
	Dir      string
	Server   *controlplane.Server
	Address  string // host:port
	Identity *pki.Identity
	// Now is the clock of the certificates; nil for the system's.
	Now func() time.Time

	t    testing.TB
	stop func()
}

// Start runs a control plane with housekeeping until the test ends.
func Start(t testing.TB) *Env {
	t.Helper()
	return StartAt(t, nil)
}

// StartAt is Start with a clock for the certificates.
func StartAt(t testing.TB, now func() time.Time) *Env {
	t.Helper()
	e := &Env{Dir: t.TempDir(), Now: now, t: t}
	e.Start()
	t.Cleanup(e.Stop)
	return e
}

// Start starts the control plane again after Stop.
func (e *Env) Start() {
	e.t.Helper()
	quiet()
	s, err := store.Open(context.Background(), store.Config{File: filepath.Join(e.Dir, "store.db"), Version: "test"})
	e.check(err)
	e.Identity, err = pki.Load(e.Dir, time.Now())
	e.check(err)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	e.check(err)
	e.Address = listener.Addr().String()
	e.Server, err = controlplane.New(controlplane.Config{
		Listener: listener, Now: e.Now,
		Identity: e.Identity, Store: s, Version: version.Full(), Untracked: containersv1alpha1.MirrorResources(),
	})
	e.check(err)

	ctx, cancel := context.WithCancel(context.Background())
	house, stopHouse := context.WithCancel(context.Background())
	var serving, keeping sync.WaitGroup
	serving.Go(func() {
		if err := e.Server.Run(ctx); err != nil {
			e.t.Errorf("the control plane ended: %v", err)
		}
	})
	e.stop = sync.OnceFunc(func() {
		stopHouse()
		keeping.Wait()
		cancel()
		serving.Wait()
		s.Close()
	})
	starting, stopStarting := context.WithTimeout(ctx, readyTimeout)
	defer stopStarting()
	e.check(e.Server.WaitReady(starting))
	keeping.Go(func() {
		err := housekeeping.Run(house, housekeeping.Config{
			REST:         e.Server.ClientConfig(),
			Namespaces:   e.Server.Namespaces(),
			KindsChanged: e.Server.KindsChanged(),
			Log:          slog.New(slog.DiscardHandler),
		})
		if err != nil {
			e.t.Errorf("housekeeping ended: %v", err)
		}
	})
}

// Stop stops the control plane.
func (e *Env) Stop() { e.stop() }

func (e *Env) check(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// Remote returns a configuration for clients over TCP and TLS, with the given token, or
// the administrator's.
func (e *Env) Remote(token ...string) *rest.Config {
	config := &rest.Config{
		Host:            "https://" + e.Address,
		TLSClientConfig: rest.TLSClientConfig{CAData: e.Identity.CACert},
		BearerToken:     e.Identity.AdminToken,
		QPS:             -1,
	}
	if len(token) > 0 {
		config.BearerToken = token[0]
	}
	return config
}

// Install installs definitions in the control plane.
func (e *Env) Install(definitions []manifest.Source) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	e.check(manifest.Installer{REST: e.Server.ClientConfig(), Sole: true}.Install(ctx, definitions, nil))
}

// CountWrites returns a number that rises with each request of the configuration's clients
// that is no read.
func CountWrites(config *rest.Config) *atomic.Int32 {
	var n atomic.Int32
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return writes{next, &n} })
	return &n
}

type writes struct {
	http.RoundTripper
	n *atomic.Int32
}

func (w writes) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		w.n.Add(1)
	}
	return w.RoundTripper.RoundTrip(request)
}
