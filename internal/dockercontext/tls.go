// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// tlsFiles are the certificates of a context, by the names that the client's
// files have.
type tlsFiles map[string][]byte

func (f tlsFiles) equal(other tlsFiles) bool { return maps.EqualFunc(f, other, bytes.Equal) }

// secretKeys are the names of a Secret's keys that a file may come from, in the
// order in which they are looked for (see the spec of the ContainerEngine).
var secretKeys = map[string][]string{
	"ca.pem":   {"ca.crt", "ca.pem"},
	"cert.pem": {"tls.crt", "cert.pem"},
	"key.pem":  {"tls.key", "key.pem"},
}

// readTLS returns what a Secret has for a context; nil for no Secret.
func readTLS(ctx context.Context, secret engine.Secret) (tlsFiles, error) {
	if secret == nil {
		return nil, nil
	}
	data, err := secret.Read(ctx)
	if err != nil {
		return nil, err
	}
	files := tlsFiles{}
	for file, keys := range secretKeys {
		for _, key := range keys {
			if value, ok := data[key]; ok {
				files[file] = value
				break
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the Secret %s has no certificates: %w", secret, errTLSUnsaid)
	}
	return files, nil
}

// errTLSUnsaid is a limit of the client: it takes TLS for wanted where there are
// files for it.
var errTLSUnsaid = errors.New("a Docker context can't say that a connection is with TLS and without them")

// given is a Secret with the certificates of a context.
type given struct {
	name  string
	files tlsFiles
}

// String implements [engine.Secret].
func (g given) String() string { return "of the Docker context " + g.name }

// Read implements [engine.Secret].
func (g given) Read(context.Context) (map[string][]byte, error) { return g.files, nil }
