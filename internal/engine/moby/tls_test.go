// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
)

func TestTLSConfig(t *testing.T) {
	authority := certs.New(t)
	client, other := authority.Client(), authority.Client()
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("nonsense")})
	locked := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	for name, test := range map[string]struct {
		data map[string][]byte
		want string // in the error; empty for none
	}{
		"empty":                    {nil, ""},
		"authority":                {map[string][]byte{"ca.crt": authority.Cert}, ""},
		"Docker's names":           {map[string][]byte{"ca.pem": authority.Cert, "cert.pem": client.Cert, "key.pem": client.Key}, ""},
		"client":                   {map[string][]byte{"tls.crt": client.Cert, "tls.key": client.Key}, ""},
		"more than is needed":      {map[string][]byte{"ca.crt": authority.Cert, "note": nil}, ""},
		"text around certificates": {map[string][]byte{"ca.crt": append([]byte("subject: x\n"), authority.Cert...)}, ""},
		"other keys":               {map[string][]byte{"cacert": authority.Cert}, "it has the keys cacert, and none of ca.crt"},
		"no key":                   {map[string][]byte{"tls.crt": client.Cert}, "lacks the key tls.key: the private key for tls.crt"},
		"no certificate":           {map[string][]byte{"key.pem": client.Key}, "lacks the key tls.crt: the certificate for key.pem"},
		"empty authority":          {map[string][]byte{"ca.crt": {}}, "key ca.crt: no certificate"},
		"one broken authority":     {map[string][]byte{"ca.crt": append(bytes.Clone(authority.Cert), broken...)}, "key ca.crt: certificate 2: "},
		"key for certificate":      {map[string][]byte{"tls.crt": client.Key, "tls.key": client.Key}, "key tls.crt: no certificate"},
		"certificate for key":      {map[string][]byte{"tls.crt": client.Cert, "tls.key": client.Cert}, "key tls.key: no private key"},
		"encrypted":                {map[string][]byte{"tls.crt": client.Cert, "tls.key": locked}, "key tls.key: the private key is encrypted"},
		"of two":                   {map[string][]byte{"tls.crt": client.Cert, "tls.key": other.Key}, "keys tls.crt and tls.key: tls: private key does not match"},
		"of two kinds":             {map[string][]byte{"tls.crt": client.Cert, "tls.key": rsaKey(t)}, "keys tls.crt and tls.key: tls: private key type does not match"},
	} {
		config, err := tlsConfig(test.data)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want == "" && (config.MinVersion != tls.VersionTLS12 || config.InsecureSkipVerify):
			t.Errorf("%s: what is made trusts too much: %+v", name, config)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
}

func rsaKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}
