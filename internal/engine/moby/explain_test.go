// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/certs"
)

// serve runs a server with TLS where there is a configuration, and without else,
// and returns its address.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ID": "an engine"}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	if config == nil {
		server.Start()
	} else {
		server.TLS = config
		server.StartTLS()
	}
	return server.Listener.Addr().String()
}

// pair is a certificate as a server needs it.
func pair(t *testing.T, p certs.Pair) []tls.Certificate {
	t.Helper()
	cert, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{cert}
}

// TestErrorsOfConnections: what is wrong is said so that a user knows what to do.
func TestErrorsOfConnections(t *testing.T) {
	authority := certs.New(t)
	trusted := material{"ca.crt": authority.Cert}
	plain := serve(t, nil)
	secure := serve(t, &tls.Config{Certificates: pair(t, authority.Server("127.0.0.1"))})
	elsewhere := serve(t, &tls.Config{Certificates: pair(t, authority.Server("other.invalid"))})
	old := serve(t, &tls.Config{Certificates: pair(t, authority.Server("127.0.0.1")), MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	closed := unused(t)
	missing := filepath.Join(t.TempDir(), "d.sock")
	for name, test := range map[string]struct {
		cfg  Config
		want []string // none for no error
	}{
		"plain":             {Config{Endpoint: "tcp://" + plain}, nil},
		"TLS":               {Config{Endpoint: "tcp://" + secure, Secret: trusted}, nil},
		"TLS, not expected": {Config{Endpoint: "tcp://" + secure}, []string{"tcp://" + secure + ": it speaks TLS", "spec.secretRef"}},
		"no TLS":            {Config{Endpoint: "tcp://" + plain, Secret: trusted}, []string{"tcp://" + plain, "does not speak TLS"}},
		"other authority":   {Config{Endpoint: "tcp://" + secure, Secret: material{"ca.crt": certs.New(t).Cert}}, []string{"signed by an authority that ca.crt of the Secret space/certs does not have", "certificate signed by unknown authority"}},
		"system's roots":    {Config{Endpoint: "tcp://" + secure, Secret: material{}}, []string{"certificate signed by unknown authority"}},
		"other host":        {Config{Endpoint: "tcp://" + elsewhere, Secret: trusted}, []string{"for another host", "127.0.0.1"}},
		"TLS 1.1":           {Config{Endpoint: "tcp://" + old, Secret: trusted}, []string{"protocol version"}},
		"closed port":       {Config{Endpoint: "tcp://" + closed}, []string{"tcp://" + closed + ": connection refused: nothing listens there"}},
		"closed with TLS":   {Config{Endpoint: "tcp://" + closed, Secret: trusted}, []string{"connection refused: nothing listens there"}},
		"no socket":         {Config{Endpoint: "unix://" + missing}, []string{"unix://" + missing + ": no such socket"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := infoError(t, test.cfg)
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error: %v", err)
			}
			for _, words := range test.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not in the error: %v", words, err)
				}
			}
		})
	}
}

// unused returns an address where nothing listens.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// TestClosesAfterEachAnswer: a proxy may end each connection after one answer; a
// connection that was tried out is no use then.
func TestClosesAfterEachAnswer(t *testing.T) {
	authority := certs.New(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ID": "a"}`)
	}))
	server.TLS = &tls.Config{Certificates: pair(t, authority.Server("127.0.0.1"))}
	server.Config.SetKeepAlivesEnabled(false)
	server.StartTLS()
	t.Cleanup(server.Close)
	if err := infoError(t, Config{Endpoint: "tcp://" + server.Listener.Addr().String(), Secret: material{"ca.crt": authority.Cert}}); err != nil {
		t.Error(err)
	}
}

// TestRefusedClients: with TLS 1.3 the engine refuses a client only when the
// client takes the connection for made; whatever happens first then, the error
// is the same each time.
func TestRefusedClients(t *testing.T) {
	authority := certs.New(t)
	roots, err := pool(authority.Cert)
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, &tls.Config{
		Certificates: pair(t, authority.Server("127.0.0.1")), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	})
	stranger := certs.New(t).Client()
	for _, secret := range []material{
		{"ca.crt": authority.Cert},
		{"ca.crt": authority.Cert, "tls.crt": stranger.Cert, "tls.key": stranger.Key},
	} {
		for range 50 {
			err := infoError(t, Config{Endpoint: "tcp://" + address, Secret: secret})
			if err == nil || !strings.Contains(err.Error(), "the engine refuses the client's certificate") {
				t.Fatal(err)
			}
		}
	}
	good := authority.Client()
	if err := infoError(t, Config{Endpoint: "tcp://" + address, Secret: material{"ca.crt": authority.Cert, "tls.crt": good.Cert, "tls.key": good.Key}}); err != nil {
		t.Error(err)
	}
}
