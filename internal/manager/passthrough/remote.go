// SPDX-License-Identifier: Apache-2.0

package passthrough

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tokenHeader has the secret with which the API server authenticates to a process.
const tokenHeader = "X-Rdd-Passthrough-Token" //nolint:gosec // a name, no token

// Remote is another process with endpoints.
type Remote struct {
	// Endpoints are the names of the endpoints of each controller.
	Endpoints map[string][]string
	// URL is the process's address: a scheme and a host.
	URL string
	// CA is the certificate authority of the process, in PEM.
	CA []byte
	// Token authenticates the API server to the process.
	Token string
}

// serve forwards the request, which is [identified], to the other process.
func (r Remote) serve(w http.ResponseWriter, req *http.Request, certificate tls.Certificate, log *slog.Logger) {
	target, err := url.Parse(r.URL)
	authorities := x509.NewCertPool()
	if err != nil || !authorities.AppendCertsFromPEM(r.CA) {
		log.Warn("the discovery has an endpoint without an address or a certificate authority", "url", r.URL, "error", err)
		Refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the controller's process has published no address")
		return
	}
	// Use a connection for each request: the next request may go to another process.
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: authorities, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13},
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = target.Scheme, target.Host
			restate(p.In.Header, p.Out.Header)
			p.Out.Header.Set(tokenHeader, r.Token)
		},
		Transport:     transport,
		FlushInterval: -1, // immediately: these may be streams
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			log.Warn("a controller's process does not answer", "path", req.URL.Path, "error", err)
			Refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the controller's process does not answer")
		},
	}
	proxy.ServeHTTP(w, req)
}

// Server is the other end of a [Remote]: it serves endpoints to clients with the token.
type Server struct {
	Endpoints func() Endpoints
	Token     string // not empty
}

// Admits reports whether a request comes from the API server.
func (s *Server) Admits(req *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(req.Header.Get(tokenHeader)), []byte(s.Token)) == 1
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !s.Admits(req) {
		Refuse(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "only the API server may connect")
		return
	}
	req.Header.Del(tokenHeader)
	controller, endpoint, _ := Split(req.URL.Path)
	endpoints := s.Endpoints()
	handler, ok := endpoints[controller][endpoint]
	if !ok {
		Refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, notFound(controller, endpoint, endpoints.Names()))
		return
	}
	handler.ServeHTTP(w, within(req, prefixOf(controller, endpoint)))
}
