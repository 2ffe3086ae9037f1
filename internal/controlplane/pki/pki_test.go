// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var today = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestIdentityStays(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir, today)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Load(dir, today.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if string(first.CACert) != string(second.CACert) || first.AdminToken != second.AdminToken ||
		!first.ServiceAccountKey.Equal(second.ServiceAccountKey) {
		t.Error("the identity changed")
	}
	if runtime.GOOS == "windows" {
		return
	}
	for _, name := range []string{"ca.key", "service-account.key", "admin.token"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 600", name, info, err)
		}
	}
}

func TestAuthorityIsRenewedBeforeItEnds(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir, today)
	if err != nil {
		t.Fatal(err)
	}
	later, err := Load(dir, time.Date(2195, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if string(first.CACert) == string(later.CACert) {
		t.Error("an authority that is about to expire was kept")
	}
}

func TestDamagedKeyIsAnError(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir, today); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "rubbish", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"} {
		if err := os.WriteFile(filepath.Join(dir, "service-account.key"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir, today); err == nil {
			t.Errorf("a key file with %q was taken", content)
		}
	}
}

func TestServingCert(t *testing.T) {
	id, err := Load(t.TempDir(), today)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := id.ServingCert(today)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(id.CACert)
	for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: today}); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
}

// TestRenew: nothing of the old identity is in the new one.
func TestRenew(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir, today)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := Renew(dir, today)
	if err != nil {
		t.Fatal(err)
	}
	if string(first.CACert) == string(renewed.CACert) || first.caKey.Equal(renewed.caKey) || first.AdminToken == renewed.AdminToken ||
		first.ServiceAccountKey.Equal(renewed.ServiceAccountKey) {
		t.Error("a part of the identity is the old one")
	}
	kept, err := Load(dir, today)
	if err != nil || string(kept.CACert) != string(renewed.CACert) || kept.AdminToken != renewed.AdminToken {
		t.Errorf("what is kept is another one: %v", err)
	}
}

// TestRenewIsInterrupted: whichever files were replaced, they make an identity whose
// certificates its authority vouches for.
func TestRenewIsInterrupted(t *testing.T) {
	names := []string{tokenFile, accountKeyFile, caKeyFile, caCertFile}
	for replaced := range len(names) + 1 {
		dir, other := t.TempDir(), t.TempDir()
		if _, err := Load(dir, today); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(other, today); err != nil {
			t.Fatal(err)
		}
		for _, name := range names[:replaced] {
			if err := os.Rename(filepath.Join(other, name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		id, err := Load(dir, today)
		if err != nil {
			t.Fatalf("%d files: %v", replaced, err)
		}
		serving, _, err := id.ServingCert(today)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(id.CACert)
		if _, err := parseCert(serving).Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost", CurrentTime: today}); err != nil {
			t.Errorf("%d files: %v", replaced, err)
		}
	}
}
