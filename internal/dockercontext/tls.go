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

// tlsFiles are the certificates of a context, by the names of the client's files.
type tlsFiles map[string][]byte

func (f tlsFiles) equal(other tlsFiles) bool { return maps.EqualFunc(f, other, bytes.Equal) }

// secretKeys are the keys of a Secret for each file, in the order of preference (see
// the spec of the ContainerEngine).
var secretKeys = map[string][]string{
	"ca.pem":   {"ca.crt", "ca.pem"},
	"cert.pem": {"tls.crt", "cert.pem"},
	"key.pem":  {"tls.key", "key.pem"},
}

// readTLS returns the certificates in a Secret; nil for no Secret.
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
		return nil, fmt.Errorf("the Secret %s has no certificates: %w", secret, errTLSWithoutFiles)
	}
	return files, nil
}

// errTLSWithoutFiles is a limit of the client: it uses TLS only if there are files
// for it.
var errTLSWithoutFiles = errors.New("a Docker context can't use TLS without certificates")

// certificates is a Secret with the certificates of a context.
type certificates struct {
	name  string
	files tlsFiles
}

// String implements [engine.Secret].
func (c certificates) String() string { return "of the Docker context " + c.name }

// Read implements [engine.Secret].
func (c certificates) Read(context.Context) (map[string][]byte, error) { return c.files, nil }
