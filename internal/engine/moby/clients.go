// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"sync/atomic"

	"github.com/moby/moby/client"
)

// clients speak one version of the API, which they settle with the engine at
// their first call, and keep.
type clients struct {
	api *client.Client
	// hijack makes the calls whose connection becomes a stream of bytes.
	hijack *client.Client
	// negotiated says that api knows the version.
	negotiated atomic.Bool
}

// renew has the version settled anew. An engine that comes back may be a newer
// one, which no longer speaks the old version, or an older one. What is under way
// goes on with the clients that it has.
func (e *Engine) renew() error {
	copied := *e.http // the client changes it
	api, err := client.New(client.WithHost(e.route.host), client.WithHTTPClient(&copied))
	if err != nil {
		return err
	}
	options := []client.Opt{client.WithHost(e.route.host)}
	if e.transport.DialContext != nil {
		options = append(options, client.WithDialContext(dialHandshake(e.transport.DialContext)))
	}
	hijack, err := client.New(options...)
	if err != nil {
		return err
	}
	e.clients.Store(&clients{api: api, hijack: hijack})
	return nil
}

func (e *Engine) api() *client.Client { return e.clients.Load().api }

// apiVersion returns the version of the API that is in use. The client settles
// it with the engine at its first call, and says it without a lock: it must not
// be asked before.
func (e *Engine) apiVersion(ctx context.Context) (string, error) {
	c := e.clients.Load()
	if !c.negotiated.Load() {
		if _, err := c.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
			return "", translate(err)
		}
		c.negotiated.Store(true)
	}
	return c.api.ClientVersion(), nil
}
