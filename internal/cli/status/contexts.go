// SPDX-License-Identifier: Apache-2.0

package status

import (
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/dockercontext"
)

// Contexts are those of Docker's client.
type Contexts struct {
	// Name is that of this instance's own context, and Endpoint where it leads to;
	// both are empty where there is none.
	Name     string `json:"name,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	// Current is the context that is used where none is named.
	Current string `json:"current"`
	// Overridden is the environment variable that counts more than that, here
	// and now; empty for none.
	Overridden string `json:"overridden,omitempty"`
}

// contexts reads the client's files. What can't be read is taken for absent, as
// the client itself says what is wrong with it.
func (r *Reader) contexts(o *diagnostics.Observed) *Contexts {
	dir, err := dockercontext.Dir(r.Getenv)
	if err != nil {
		return nil
	}
	name := r.Instance.ContextName()
	seen := dockercontext.Observe(dir, name, r.Instance.ContextMemory())
	o.Contexts = &diagnostics.Contexts{Host: seen.Host, Current: seen.Current, Chosen: seen.Chosen}
	c := &Contexts{Endpoint: seen.Host, Current: seen.Current, Overridden: dockercontext.Overridden(r.Getenv)}
	if c.Endpoint != "" {
		c.Name = name
	}
	return c
}
