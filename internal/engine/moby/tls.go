// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// tlsDialer makes connections with TLS. Each uses the current content of the Secret.
type tlsDialer struct {
	address string // host:port
	server  string // whose name the certificate must have
	path    string // of the API
	secret  engine.Secret
	// skipVerify accepts any certificate.
	skipVerify bool
}

func (d *tlsDialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	again, err := probe(ctx, conn, d.path)
	if err != nil || again {
		_ = conn.Close()
	}
	switch {
	case err != nil:
		return nil, err
	case again:
		return d.connect(ctx)
	}
	return conn, nil
}

func (d *tlsDialer) connect(ctx context.Context) (net.Conn, error) {
	data, err := d.secret.Read(ctx)
	if err != nil {
		return nil, err
	}
	config, err := tlsConfig(data)
	if err != nil {
		return nil, fmt.Errorf("Secret %s: %w", d.secret, err) //nolint:staticcheck // a kind's name
	}
	config.ServerName = d.server
	config.InsecureSkipVerify = d.skipVerify // the user's own context says so
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", d.address)
}

// maxPEM is the largest value of a Secret that is parsed, in bytes: all authorities
// that a system trusts have some 250 kB.
const maxPEM = 1 << 20

// tlsConfig returns a configuration from the data of a Secret. The keys are named as
// in Kubernetes (the type kubernetes.io/tls), or as the files of Docker's client.
// Errors have the name of the key, but not its value.
func tlsConfig(data map[string][]byte) (*tls.Config, error) {
	for name, value := range data {
		if len(value) > maxPEM {
			return nil, fmt.Errorf("key %s has more than %d bytes", name, maxPEM)
		}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	caName, ca := pick(data, "ca.crt", "ca.pem")
	certName, cert := pick(data, "tls.crt", "cert.pem")
	keyName, key := pick(data, "tls.key", "key.pem")
	switch {
	case ca == nil && cert == nil && key == nil && len(data) > 0:
		return nil, fmt.Errorf("it has the keys %s, and none of %s (the engine's authority), %s and %s (for the engine to know the client)",
			strings.Join(slices.Sorted(maps.Keys(data)), ", "), caName, certName, keyName)
	case cert == nil && key != nil:
		return nil, fmt.Errorf("it lacks the key %s: the certificate for %s, in PEM", certName, keyName)
	case key == nil && cert != nil:
		return nil, fmt.Errorf("it lacks the key %s: the private key for %s, in PEM", keyName, certName)
	}
	var err error
	if ca != nil {
		if config.RootCAs, err = pool(ca); err != nil {
			return nil, fmt.Errorf("key %s: %w", caName, err)
		}
	}
	if cert != nil {
		if _, err := pool(cert); err != nil {
			return nil, fmt.Errorf("key %s: %w", certName, err)
		}
		if err := checkPrivateKey(key); err != nil {
			return nil, fmt.Errorf("key %s: %w", keyName, err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("keys %s and %s: %w", certName, keyName, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// pick returns the first of some keys that the data has, and its value; or the first
// key and nil if it has none.
func pick(data map[string][]byte, names ...string) (name string, value []byte) {
	for _, name := range names {
		if value, ok := data[name]; ok {
			return name, append([]byte{}, value...) // not nil, if empty
		}
	}
	return names[0], nil
}

// pool parses at least one certificate in PEM.
func pool(data []byte) (*x509.CertPool, error) {
	certs := x509.NewCertPool()
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", n, err)
		}
		certs.AddCert(cert)
	}
	if n == 0 {
		return nil, errors.New("no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
	}
	return certs, nil
}

// checkPrivateKey returns errors of a private key in PEM that crypto/tls does not
// explain.
func checkPrivateKey(data []byte) error {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return errors.New("the private key is encrypted; it must be there without a password")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil
		}
	}
	return errors.New("no private key in PEM, which begins with -----BEGIN PRIVATE KEY----- or the like")
}
