// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// Observation is how a user's contexts are. What can't be read is taken for
// absent.
type Observation struct {
	// Dir is where they are.
	Dir string
	// Host is the endpoint of the context that was asked for; empty where there is
	// none.
	Host string
	// Certificates is the directory of that context's ca.pem, cert.pem and key.pem,
	// those that it has; empty if it has none.
	Certificates string
	// Current is the name of the current context.
	Current string
	// Chosen is whether a keeper made its own context the current one.
	Chosen bool
}

// Observe looks at the contexts in dir, or where a keeper has left its own, and
// at the context of the name. memory is the keeper's file. Nothing is connected
// to.
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

// Places returns the directories in which something changes when the context of
// the name, or which one is the current one, is changed. The client names the
// first for the digest of the name; it is there only while the context is.
func (o Observation) Places(name string) []string {
	digest := sha256.Sum256([]byte(name))
	return []string{filepath.Join(o.Dir, "contexts", "meta", hex.EncodeToString(digest[:])), o.Dir}
}
