// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
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
	r := &route{
		host:    cfg.Endpoint,
		explain: explainer{endpoint: cfg.Endpoint},
		close:   func() {},
	}
	scheme, address, _ := strings.Cut(cfg.Endpoint, "://")
	if cfg.Secret != nil && scheme != "tcp" {
		return nil, errors.New("a Secret requires a tcp:// endpoint")
	}
	switch scheme {
	case "ssh":
		dialer, err := newSSHDialer(cfg.Endpoint)
		if err != nil {
			return nil, err
		}
		// Any host works: no engine reads the header.
		r.host, r.dial, r.close = "tcp://docker.invalid:80", dialer.dial, dialer.close
	case "tcp":
		base, err := parseTCP(cfg.Endpoint)
		if err != nil {
			return nil, err
		}
		if cfg.Secret != nil {
			r.explain.secret = cfg.Secret.String()
			r.dial = (&tlsDialer{address: base.Host, server: base.Hostname(), path: base.Path, secret: cfg.Secret, skipVerify: cfg.SkipVerify}).dial
		}
	case "npipe":
		return r, namedPipes()
	case "unix":
		if !strings.HasPrefix(address, "/") {
			return nil, errors.New("the path of the socket must be absolute")
		}
	default:
		return nil, errors.New("it must begin with unix://, npipe://, tcp:// or ssh://")
	}
	return r, nil
}

// parseTCP takes an endpoint tcp://host:port apart.
func parseTCP(endpoint string) (*url.URL, error) {
	base, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return nil, err
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("it must be tcp://host:port")
	case base.Hostname() == "" || base.Port() == "":
		return nil, errors.New("it must be tcp://host:port; Docker's ports are 2375, and 2376 with TLS")
	}
	return base, checkPort(base.Port())
}

// checkPort checks a TCP port.
func checkPort(port string) error {
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("the port %s must be from 1 to 65535", port)
	}
	return nil
}
