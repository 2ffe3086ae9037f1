// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

// steps are how far the clock was ahead before it was set right; negative ones are of
// a clock that was behind.
func steps() map[string]time.Duration {
	return map[string]time.Duration{
		"2 h ahead": 2 * time.Hour, "48 h ahead": 48 * time.Hour, "3 years ahead": 3 * year, "30 years ahead": 30 * year,
		"48 h behind": -48 * time.Hour, "2 years behind": -2 * year, "50 years behind": -50 * year,
	}
}

// verify checks that a client which trusts the authority takes the server's
// certificate at the time.
func verify(t *testing.T, authority []byte, s *Serving, at time.Time) {
	t.Helper()
	pair, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost", CurrentTime: at}); err != nil {
		t.Error(err)
	}
	if life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore); life > 398*24*time.Hour {
		t.Errorf("it is valid for %s, which some clients refuse", life)
	}
}

// TestClockIsSet: if the clock was wrong at the first start, clients trust the server
// after it is set right, whether or not the server is restarted, and with the
// authority's certificate that they stored before.
func TestClockIsSet(t *testing.T) {
	for name, step := range steps() {
		t.Run(name, func(t *testing.T) {
			dir, now := t.TempDir(), today.Add(step)
			first, err := Load(dir, now)
			if err != nil {
				t.Fatal(err)
			}
			running := first.Serving(func() time.Time { return now })
			verify(t, first.CACert, running, now)
			now = today
			verify(t, first.CACert, running, now)
			again, err := Load(dir, now)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, first.CACert, again.Serving(func() time.Time { return now }), now)
			verify(t, again.CACert, running, now)
		})
	}
}

// TestAuthorityOfLater: an earlier version's authority that is not valid yet gets a new
// certificate for its key.
func TestAuthorityOfLater(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir, today)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "Rancher Desktop daemon"}, NotBefore: today.Add(48 * time.Hour),
		NotAfter: today.Add(10 * year), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := sign(template, template, first.caKey.Public(), first.caKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), encode("CERTIFICATE", der), 0o600); err != nil {
		t.Fatal(err)
	}
	healed, err := Load(dir, today)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return today }
	verify(t, healed.CACert, healed.Serving(now), today)
	if !healed.caKey.Equal(first.caKey) {
		t.Error("it has another key")
	}
	verify(t, encode("CERTIFICATE", der), healed.Serving(now), today.Add(72*time.Hour)) // once that is valid
}
