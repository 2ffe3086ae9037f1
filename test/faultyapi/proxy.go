// SPDX-License-Identifier: Apache-2.0

package faultyapi

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
)

// Proxy is an HTTPS server for one client, which is any that asks, of an API
// server that may come back at another port. It ends with the test. It returns
// its URL, and the authority of its certificate, in PEM.
func (f *Faults) Proxy(tb testing.TB, server func() (*rest.Config, error)) (address string, authority []byte) {
	tb.Helper()
	vouches := certs.New(tb)
	own := vouches.Server("127.0.0.1")
	certificate, err := tls.X509KeyPair(own.Cert, own.Key)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(*httputil.ProxyRequest) {},
		Transport:     f.Wrap(&upstream{server: server}),
		FlushInterval: -1, // at once
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := &http.Server{
		Handler: proxy, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1, whose connections a fault breaks
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.ServeTLS(listener, "", "") })
	tb.Cleanup(func() {
		_ = s.Close()
		serving.Wait()
	})
	return "https://" + listener.Addr().String(), vouches.Cert
}

// upstream sends requests to the API server as it is now.
type upstream struct {
	server func() (*rest.Config, error)

	mu    sync.Mutex
	known string            // guarded by mu; what next was made for
	next  http.RoundTripper // guarded by mu
}

// RoundTrip implements [http.RoundTripper].
func (u *upstream) RoundTrip(request *http.Request) (*http.Response, error) {
	next, host, err := u.current()
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(host)
	if err != nil {
		return nil, err
	}
	request.URL.Scheme, request.URL.Host, request.Host = target.Scheme, target.Host, ""
	return next.RoundTrip(request)
}

func (u *upstream) current() (http.RoundTripper, string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	config, err := u.server()
	if err != nil {
		return nil, "", err
	}
	if key := config.Host + config.BearerToken + string(config.CertData); key != u.known {
		if u.next, err = rest.TransportFor(config); err != nil {
			return nil, "", err
		}
		u.known = key
	}
	return u.next, config.Host, nil
}
