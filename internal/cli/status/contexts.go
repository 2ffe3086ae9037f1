// SPDX-License-Identifier: Apache-2.0

package status

import (
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
)

// Contexts describes the contexts of Docker's client.
type Contexts struct {
	// Name is this instance's context, and Endpoint its endpoint; both are empty if
	// it has none.
	Name     string `json:"name,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	// Current is the default context.
	Current string `json:"current"`
	// Overridden is the environment variable that overrides Current in this process;
	// empty if none does.
	Overridden string `json:"overridden,omitempty"`
}

// contexts reads the client's files. A file that can't be read counts as absent, because
// the client itself reports the error.
func (r *Reader) contexts(o *diagnostics.Observed) *Contexts {
	dir, err := dockercontext.Dir(r.Getenv)
	if err != nil {
		return nil
	}
	name := r.Instance.ContextName()
	found := dockercontext.Observe(dir, name, r.Instance.ContextMemory())
	o.Contexts = &diagnostics.Contexts{Host: found.Host, Current: found.Current, Chosen: found.Chosen}
	c := &Contexts{Endpoint: found.Host, Current: found.Current, Overridden: dockercontext.Overridden(r.Getenv)}
	if c.Endpoint != "" {
		c.Name = name
	}
	return c
}
