// SPDX-License-Identifier: Apache-2.0

// Package pki makes and keeps the secrets of an instance: a certificate
// authority of its own, the administrator's token, and the key that signs
// service account tokens. All keys are ECDSA P-256.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/atomicfile"
)

const (
	caLifetime      = 10 * 365 * 24 * time.Hour
	caRenewBefore   = 365 * 24 * time.Hour
	servingLifetime = 365 * 24 * time.Hour
	clockSkew       = time.Hour // certificates are valid from that long ago

	secretMode = 0o600
	tokenBytes = 32
)

// Identity holds the secrets of an instance.
type Identity struct {
	// CACert is the authority's certificate in PEM: what clients trust.
	CACert []byte
	// AdminToken authenticates the instance's owner.
	AdminToken string
	// ServiceAccountKey signs the tokens of service accounts.
	ServiceAccountKey *ecdsa.PrivateKey

	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
}

// Load returns the identity kept in dir, which must exist. What is missing is
// made; an authority that is about to expire is made anew.
func Load(dir string, now time.Time) (*Identity, error) {
	var id Identity
	if err := id.loadCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), now); err != nil {
		return nil, err
	}
	var err error
	if id.ServiceAccountKey, err = loadKey(filepath.Join(dir, "service-account.key")); err != nil {
		return nil, err
	}
	if id.AdminToken, err = loadToken(filepath.Join(dir, "admin.token")); err != nil {
		return nil, err
	}
	return &id, nil
}

func (id *Identity) loadCA(certFile, keyFile string, now time.Time) error {
	key, err := loadKey(keyFile)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(certFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if cert := parseCert(data); cert != nil && now.Add(caRenewBefore).Before(cert.NotAfter) && key.PublicKey.Equal(cert.PublicKey) {
		id.ca, id.caKey, id.CACert = cert, key, data
		return nil
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Rancher Desktop daemon"},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(caLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if id.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	id.caKey, id.CACert = key, encode("CERTIFICATE", der)
	return atomicfile.Write(certFile, id.CACert, secretMode)
}

// ServingCert returns a certificate for a server on the loopback interface and
// its key, both in PEM, signed by the instance's authority. Nothing is written.
func (id *Identity) ServingCert(now time.Time, names ...string) (cert, key []byte, err error) {
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(servingLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    append([]string{"localhost"}, names...),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := sign(template, id.ca, serverKey.Public(), id.caKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(serverKey)
	if err != nil {
		return nil, nil, err
	}
	return encode("CERTIFICATE", der), encode("EC PRIVATE KEY", keyDER), nil
}

// NewToken returns an unguessable word.
func NewToken() string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(tokenBytes))
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	template.SerialNumber = new(big.Int).SetBytes(randomBytes(16))
	return x509.CreateCertificate(rand.Reader, template, parent, public, signer)
}

// randomBytes never fails: crypto/rand ends the process where the system has no
// randomness to give.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func parseCert(data []byte) *x509.Certificate {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}

// loadKey reads the key in the file, or makes one where there is no file. A
// file that holds no key is an error: what the key signed would be void.
func loadKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key in PEM; remove it to have a new one made", path)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to have a new one made", path, err)
	}
	return key, nil
}

func makeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, atomicfile.Write(path, encode("EC PRIVATE KEY", der), secretMode)
}

func loadToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(data)) != "" {
		return strings.TrimSpace(string(data)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	token := NewToken()
	return token, atomicfile.Write(path, []byte(token+"\n"), secretMode)
}
