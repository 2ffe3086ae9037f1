// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
)

const (
	// adoption is how long the API server may take to use a new certificate before a
	// connection is served with the old one, and adoptionPoll the interval between
	// checks.
	adoption     = 2 * time.Second
	adoptionPoll = time.Millisecond
)

// serving provides the API server with the certificate for its port. The API server
// reads it every minute, and when notified; clients may connect right after the clock
// was set.
type serving struct {
	certificates *pki.Serving

	mu       sync.Mutex
	listener dynamiccertificates.Listener // guarded by mu; nil before the API server serves
	stale    bool                         // guarded by mu; the API server may not use the last certificate yet
}

var _ dynamiccertificates.CertKeyContentProvider = (*serving)(nil)

// Name implements [dynamiccertificates.CertKeyContentProvider].
func (s *serving) Name() string { return "serving" }

// CurrentCertKeyContent implements [dynamiccertificates.CertKeyContentProvider]. If it
// returns none, the API server keeps its certificate.
func (s *serving) CurrentCertKeyContent() (cert, key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cert, key, made, err := s.certificates.Current()
	if err != nil {
		return nil, nil
	}
	s.stale = s.stale || made
	return cert, key
}

// AddListener implements [dynamiccertificates.Notifier].
func (s *serving) AddListener(listener dynamiccertificates.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = listener
}

// refresh returns when the API server uses a currently valid certificate.
func (s *serving) refresh() {
	cert, _ := s.CurrentCertKeyContent()
	s.mu.Lock()
	listener, stale := s.listener, s.stale
	s.mu.Unlock()
	user, ok := listener.(interface {
		GetConfigForClient(hello *tls.ClientHelloInfo) (*tls.Config, error)
	})
	block, _ := pem.Decode(cert)
	if !stale || !ok || block == nil {
		return
	}
	listener.Enqueue()
	for deadline := time.Now().Add(adoption); time.Now().Before(deadline); time.Sleep(adoptionPoll) {
		config, err := user.GetConfigForClient(&tls.ClientHelloInfo{ServerName: "localhost"})
		if err == nil && len(config.Certificates) > 0 && bytes.Equal(config.Certificates[0].Certificate[0], block.Bytes) {
			s.mu.Lock()
			s.stale = false
			s.mu.Unlock()
			return
		}
	}
}
