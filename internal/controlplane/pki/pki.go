// SPDX-License-Identifier: Apache-2.0

// Package pki creates and stores the secrets of an instance: its certificate authority,
// the administrator's token, and the key that signs service account tokens. All keys
// are ECDSA P-256.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const (
	caRenewBefore   = 10 * 365 * 24 * time.Hour
	servingLifetime = 365 * 24 * time.Hour

	// ClockSkew is how far in the past certificates and tokens start to be valid: the
	// clock may be ahead now, and be corrected later. With their lifetime, server
	// certificates stay below 398 days, above which some clients reject them.
	ClockSkew = 30 * 24 * time.Hour

	secretMode = 0o600
	maxSecret  = 1 << 20 // bytes; more than any key or certificate has
	tokenBytes = 32

	// CallerName is the API server's name in its client certificate.
	CallerName = "rdd:api-server"

	caCertFile     = "ca.crt"
	caKeyFile      = "ca.key"
	accountKeyFile = "service-account.key"
	tokenFile      = "admin.token"
)

// validity is the validity of an authority's certificate: it includes any time that a
// wrong clock may show, because clients store it. It is as good as its key, which is
// this machine's.
func validity() (from, to time.Time) {
	return time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
}

// Authority is a certificate authority.
type Authority struct {
	// CACert is the authority's certificate in PEM, which clients trust.
	CACert []byte

	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
}

// NewAuthority creates an authority that is not stored.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return makeAuthority(key)
}

func makeAuthority(key *ecdsa.PrivateKey) (*Authority, error) {
	from, to := validity()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Rancher Desktop daemon"},
		NotBefore:             from,
		NotAfter:              to,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{CACert: encode("CERTIFICATE", der), ca: cert, caKey: key}, nil
}

// Identity has the secrets of an instance.
type Identity struct {
	Authority
	// AdminToken authenticates the instance's owner.
	AdminToken string
	// ServiceAccountKey signs the tokens of service accounts.
	ServiceAccountKey *ecdsa.PrivateKey
	// Caller is the API server's client certificate. It is new at each start, and not
	// stored.
	Caller Pair
}

// Pair is a certificate and its key, both in PEM.
type Pair struct{ Cert, Key []byte }

// Load returns the identity in dir, which must exist. It creates what is missing. An
// authority that is not valid at all times, as in earlier versions, gets a new
// certificate with the same key and name, so that clients' copies stay valid.
func Load(dir string, now time.Time) (*Identity, error) {
	var id Identity
	if err := id.loadCA(filepath.Join(dir, caCertFile), filepath.Join(dir, caKeyFile), now); err != nil {
		return nil, err
	}
	var err error
	if id.ServiceAccountKey, err = loadKey(filepath.Join(dir, accountKeyFile)); err != nil {
		return nil, err
	}
	if id.AdminToken, err = loadToken(filepath.Join(dir, tokenFile)); err != nil {
		return nil, err
	}
	if id.Caller, err = id.ClientCert(CallerName); err != nil {
		return nil, err
	}
	return &id, nil
}

// Renew replaces the whole identity in dir, and so revokes all of its secrets. After an
// interruption, [Load] creates a consistent identity from the rest.
func Renew(dir string, now time.Time) (*Identity, error) {
	if err := RenewToken(dir); err != nil {
		return nil, err
	}
	for _, name := range []string{accountKeyFile, caKeyFile} {
		if _, err := makeKey(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return Load(dir, now) // the authority's certificate has a new key by now
}

// RenewToken replaces the administrator's token in dir.
func RenewToken(dir string) error {
	_, err := makeToken(filepath.Join(dir, tokenFile))
	return err
}

func (id *Identity) loadCA(certFile, keyFile string, now time.Time) error {
	key, err := loadKey(keyFile)
	if err != nil {
		return err
	}
	data, err := readFile(certFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, _ := validity()
	if cert := parseCert(data); cert != nil && !cert.NotBefore.After(from) && now.Add(caRenewBefore).Before(cert.NotAfter) &&
		key.PublicKey.Equal(cert.PublicKey) {
		id.Authority = Authority{CACert: data, ca: cert, caKey: key}
		return nil
	}
	authority, err := makeAuthority(key)
	if err != nil {
		return err
	}
	id.Authority = *authority
	return atomicfile.Write(certFile, id.CACert, secretMode)
}

// Serving creates the certificates of one server, so that it always has a valid one,
// even if the clock is changed.
type Serving struct {
	authority *Authority
	now       func() time.Time
	names     []string

	mu        sync.Mutex
	cert, key []byte           // guarded by mu
	pair      *tls.Certificate // guarded by mu; nil before the first
}

// Serving returns the certificates of a server with the names, for the clock now.
func (a *Authority) Serving(now func() time.Time, names ...string) *Serving {
	return &Serving{authority: a, now: now, names: names}
}

// Current returns the certificate and its key in PEM, and whether this call created
// them: it replaces a certificate after two thirds of its lifetime, or one that is not
// valid yet.
func (s *Serving) Current() (cert, key []byte, made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err = s.renewLocked()
	return s.cert, s.key, made, err
}

// GetCertificate is for [tls.Config].
func (s *Serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.renewLocked()
	return s.pair, err
}

func (s *Serving) renewLocked() (made bool, err error) {
	now := s.now()
	if s.pair != nil {
		begin := s.pair.Leaf.NotBefore
		if now.After(begin.Add(ClockSkew/2)) && now.Before(begin.Add(ClockSkew+servingLifetime*2/3)) {
			return false, nil
		}
	}
	cert, key, err := s.authority.ServingCert(now, s.names...)
	if err != nil {
		return false, fmt.Errorf("make a serving certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("make a serving certificate: %w", err)
	}
	s.cert, s.key, s.pair = cert, key, &pair
	return true, nil
}

// ServingCert returns a certificate for a server on the loopback interface and the
// given names and addresses, and its key, both in PEM, signed by the authority. It
// writes no file.
func (a *Authority) ServingCert(now time.Time, names ...string) (cert, key []byte, err error) {
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		NotBefore:   now.Add(-ClockSkew),
		NotAfter:    now.Add(servingLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, name := range names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := sign(template, a.ca, serverKey.Public(), a.caKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(serverKey)
	if err != nil {
		return nil, nil, err
	}
	return encode("CERTIFICATE", der), encode("EC PRIVATE KEY", keyDER), nil
}

// ClientCert returns a certificate for a client of that name. It writes no file. The
// certificate is valid at all times, because its key exists only in this process.
func (a *Authority) ClientCert(name string) (Pair, error) {
	clientKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	from, to := validity()
	der, err := sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   from,
		NotAfter:    to,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.ca, clientKey.Public(), a.caKey)
	if err != nil {
		return Pair{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(clientKey)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: encode("CERTIFICATE", der), Key: encode("EC PRIVATE KEY", keyDER)}, nil
}

// IsCaller reports whether the other end of a connection has the API server's client
// certificate, which the listener has verified.
func IsCaller(state *tls.ConnectionState) bool {
	return state != nil && len(state.VerifiedChains) > 0 && state.VerifiedChains[0][0].Subject.CommonName == CallerName
}

// NewToken returns a random token.
func NewToken() string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(tokenBytes))
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	template.SerialNumber = new(big.Int).SetBytes(randomBytes(16))
	return x509.CreateCertificate(rand.Reader, template, parent, public, signer)
}

// randomBytes never fails: crypto/rand exits the process if the system has no
// randomness.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func readFile(path string) ([]byte, error) { return regular.Read(path, maxSecret) }

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

// loadKey reads the key in the file, or creates one if there is no file. A file without
// a key is an error: a new key would invalidate everything that the old one has signed.
func loadKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s has no PEM key; remove the file to have a new key created", path)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove the file to have a new key created", path, err)
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
	data, err := readFile(path)
	if err == nil && strings.TrimSpace(string(data)) != "" {
		return strings.TrimSpace(string(data)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return makeToken(path)
}

func makeToken(path string) (string, error) {
	token := NewToken()
	return token, atomicfile.Write(path, []byte(token+"\n"), secretMode)
}
