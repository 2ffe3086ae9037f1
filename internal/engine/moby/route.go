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

// dialTimeout bounds what it takes until a new connection has proved good.
const dialTimeout = 20 * time.Second

// route is the way to an engine.
type route struct {
	// host is what the API's client is told of it: a URL.
	host string
	// dial connects; nil leaves it to the transport. The API is spoken over the
	// connection without TLS: where there is TLS it is the connection's matter.
	dial func(ctx context.Context) (net.Conn, error)
	// explain says what an error of the transport most likely means.
	explain explainer
	// close ends all connections of dial, and waits until they have.
	close func()
}

// newRoute returns the way to an endpoint. An error says that there is none,
// whatever answers there.
func newRoute(cfg Config) (*route, error) {
	address, err := endpoint.Parse(cfg.Endpoint, traits.Moby().Schemes...)
	if err != nil {
		return nil, err
	}
	if cfg.Secret != nil && !slices.Contains(traits.Moby().SecretSchemes, address.Scheme) {
		return nil, errors.New("a Secret is for tcp:// endpoints only")
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
		// Any host will do: it is a header that no engine reads.
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
