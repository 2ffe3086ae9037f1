// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// Observation is the state of a user's contexts. Unreadable files count as absent.
type Observation struct {
	// Dir is the directory of the contexts.
	Dir string
	// Host is the endpoint of the observed context; empty if it does not exist.
	Host string
	// Certificates is the directory of that context's ca.pem, cert.pem and key.pem;
	// empty if it has none of them.
	Certificates string
	// Current is the name of the current context.
	Current string
	// Chosen is whether a keeper made its context the current one.
	Chosen bool
}

// Observe reads the context with a name, and the current context, in dir, or in the
// directory that a keeper recorded in its memory file. It does not connect to engines.
func Observe(dir, name, memory string) Observation {
	o := Observation{Dir: dir, Current: defaultContext}
	if m, err := recall(memory); err == nil && m != nil && m.Name == name {
		o.Dir, o.Chosen = m.Dir, m.Before != nil
	}
	c := open(o.Dir)
	if c.has(name) {
		if f, err := c.get(name); err == nil {
			o.Host = f.host
			if len(f.files) > 0 {
				o.Certificates = c.certificates(name)
			}
		}
	}
	if current, err := c.current(); err == nil && !isDefault(current) {
		o.Current = current
	}
	return o
}

// Places returns the directories to watch for changes of the context with a name and
// of the current context. The client names the first for the digest of the name; it
// exists only while the context does.
func (o Observation) Places(name string) []string {
	digest := sha256.Sum256([]byte(name))
	return []string{filepath.Join(o.Dir, "contexts", "meta", hex.EncodeToString(digest[:])), o.Dir}
}
