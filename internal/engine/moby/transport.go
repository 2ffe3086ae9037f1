// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/docker/go-connections/sockets"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

const (
	// idleConns are kept open, as many as there are calls at the same time.
	idleConns       = 16
	idleConnTimeout = 30 * time.Second
)

// newHTTPClient returns a client that takes the route, for the API's client to
// be given.
func newHTTPClient(route *route) (*http.Client, *http.Transport, error) {
	url, err := client.ParseHostURL(route.host)
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: limits.Header,
	}
	if route.dial != nil {
		// No proxy: it would have to be led through, too.
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return route.dial(ctx) }
	} else if err := sockets.ConfigureTransport(transport, url.Scheme, url.Host); err != nil {
		return nil, nil, err
	}
	// No engine compresses, and a few bytes could become many.
	transport.DisableCompression = true
	return &http.Client{
		Transport:     newLimitTransport(explainTransport{transport, route.explain}),
		CheckRedirect: client.CheckRedirect,
	}, transport, nil
}
