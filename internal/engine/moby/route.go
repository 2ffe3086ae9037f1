// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// dialTimeout bounds the time until a new connection is verified.
const dialTimeout = 20 * time.Second

// route connects to an engine.
type route struct {
	// host is the URL for the API's client.
	host string
	// dial connects; nil leaves it to the transport. The connection handles TLS, if
	// any: the API's client uses it without.
	dial func(ctx context.Context) (net.Conn, error)
	// explain adds the most likely cause to an error of the transport.
	explain explainer
	// close ends all connections of dial, and waits until they have.
	close func()
}

// newRoute returns the route to an endpoint. An error is permanent: the endpoint is
// invalid or not supported.
func newRoute(cfg Config) (*route, error) {
	address, err := endpoint.Parse(cfg.Endpoint, traits.Moby().Schemes...)
	if err != nil {
		return nil, err
	}
	if cfg.Secret != nil && !slices.Contains(traits.Moby().SecretSchemes, address.Scheme) {
		return nil, errors.New("a Secret requires a tcp:// endpoint")
	}
	r := &route{
		host:    cfg.Endpoint,
		explain: explainer{endpoint: cfg.Endpoint},
		close:   func() {},
	}
	switch address.Scheme {
	case endpoint.SSH:
		dialer, err := newSSHDialer(address)
		if err != nil {
			return nil, err
		}
		// Any host works: no engine reads the header.
		r.host, r.dial, r.close = "tcp://docker.invalid:80", dialer.dial, dialer.close
	case endpoint.TCP:
		if cfg.Secret != nil {
			r.explain.secret = cfg.Secret.String()
			r.dial = (&tlsDialer{address: address.Address(), server: address.Host, path: address.Path, secret: cfg.Secret, skipVerify: cfg.SkipVerify}).dial
		}
	case endpoint.NPipe:
		return r, namedPipes()
	case endpoint.Unix:
		r.host = endpoint.Unix.String() + address.Path
	}
	return r, nil
}
