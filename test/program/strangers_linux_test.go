// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// groups are the API groups that have a program of their own.
var groups = map[string]string{"app": "demo", "containers": "engine", "lima": "limavm", "rdd": "hostinfo"}

// TestListeners: every program tells those who do not authenticate that it lives, and
// nothing else, whatever certificate they make themselves and whichever secret of a
// webhook or of passthrough they have learned.
func TestListeners(t *testing.T) {
	t.Parallel()
	h := newHome(t, "RDD_DATASTORE_ENDPOINT=memory://")
	h.ok("service", "start", "--controllers", "")
	pids := map[string]int{"the daemon": h.pid(), "rdd-datastore": onlyChild(t, h.pid())}
	for group, controller := range groups {
		p := h.spawn(group + "-controller")
		h.runs(group, controller)
		pids[group+"-controller"] = p.cmd.Process.Pid
	}
	certificates := map[string]*tls.Certificate{"no certificate": nil, "a certificate of its own": selfMade(t, pki.CallerName)}
	for program, pid := range pids {
		listeners := h.listeners(pid)
		if len(listeners) == 0 {
			t.Errorf("%s listens nowhere", program)
		}
		for _, listener := range listeners {
			network, address, _ := strings.Cut(listener, " ")
			if network == "unix" {
				h.isOurs(address)
				continue
			}
			for which, certificate := range certificates {
				h.tellsNothing(fmt.Sprintf("%s at %s with %s", program, listener, which), address, certificate)
			}
		}
	}
	h.refusesSecrets(certificates)
	if h.makeDemo(); h.ok("ctl", "get", "demo", "asked", "-o", "jsonpath={.spec.name}") != "asked" {
		t.Error("the webhook did not fill in the name")
	}
}

// makeDemo creates a Demo, which the webhook validates.
func (h *home) makeDemo() {
	h.t.Helper()
	file := filepath.Join(h.dir, "demo.yaml")
	if err := os.WriteFile(file, []byte("{apiVersion: app.rancherdesktop.io/v1alpha1, kind: Demo, metadata: {name: asked}}"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.ok("ctl", "create", "-f", file)
}

// isOurs checks that only the owner may use a socket.
func (h *home) isOurs(socket string) {
	h.t.Helper()
	for path, mode := range map[string]os.FileMode{socket: 0o600, filepath.Dir(socket): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			h.t.Errorf("%s: %v, %v; want mode %o", path, info, err, mode)
		}
	}
}

// selfMade is a certificate of that name by an authority of that name.
func selfMade(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// strangePaths are what someone may ask a port for.
var strangePaths = []string{"/", "/healthz", "/livez", "/readyz", "/readyz?verbose", "/healthz/ping", "/metrics", "/metrics/controllers", "/debug/pprof/", "/version/",
	"/admission/", "/admission/demo/0/validate", "/admission/limavm/0/validate", "/admission//limavm/0/validate", "/passthrough/demo/hello",
	"/passthrough/../metrics", "/api/v1/secrets", "/openapi/v2", "/openid/v1/jwks", "/.well-known/openid-configuration"}

// tellsNothing asks an address for whatever there might be.
func (h *home) tellsNothing(what, address string, certificate *tls.Certificate) {
	h.t.Helper()
	health := []string{"/healthz", "/livez", "/readyz", "/readyz?verbose"}
	for _, scheme := range []string{"http", "https"} {
		for _, path := range strangePaths {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				for token, header := range map[string]http.Header{"": nil, "wrong": {"Authorization": {"Bearer wrong"}, "X-Remote-User": {"rdd:admin"},
					"X-Remote-Group": {"system:masters"}, "X-Rdd-Passthrough-Token": {""}}} {
					code, body, err := h.stranger(method, scheme+"://"+address+path, certificate, header)
					switch {
					case err != nil, code == http.StatusUnauthorized, code == http.StatusForbidden:
					case code == http.StatusBadRequest && scheme == "http" && strings.Contains(body, "HTTPS"):
					case code == http.StatusOK && body == "ok" && slices.Contains(health, path):
					default:
						h.t.Errorf("%s, %s %s://%s with the token %q: %d %s", what, method, scheme, path, token, code, body)
					}
				}
			}
		}
	}
}

func (h *home) stranger(method, address string, certificate *tls.Certificate, header http.Header) (code int, body string, err error) {
	h.t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if certificate != nil { // also if the server names other authorities
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	var sent io.Reader
	if method == http.MethodPost {
		sent = strings.NewReader(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1"}}`)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, address, sent)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// webhook returns the address at which the API server calls the controller of Demos.
func (h *home) webhook() string {
	h.t.Helper()
	hook, err := h.kubernetes().AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(h.t.Context(), "rdd-demo", metav1.GetOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return *hook.Webhooks[0].ClientConfig.URL
}

// refusesSecrets uses what only an administrator can learn from the API server.
func (h *home) refusesSecrets(certificates map[string]*tls.Certificate) {
	h.t.Helper()
	secret, err := h.kubernetes().CoreV1().Secrets(manager.SystemNamespace).Get(h.t.Context(), "rdd-passthrough-app", metav1.GetOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	endpoint := h.entries()["app"].PassthroughEndpoint
	for which, certificate := range certificates {
		for address, header := range map[string]http.Header{
			h.webhook():                          nil,
			endpoint + "/passthrough/demo/hello": {"X-Rdd-Passthrough-Token": {string(secret.Data["token"])}, "X-Remote-User": {"rdd:admin"}},
		} {
			code, body, err := h.stranger(http.MethodPost, address, certificate, header)
			if err == nil && code != http.StatusUnauthorized {
				h.t.Errorf("%s with %s and the secret: %d %s", address, which, code, body)
			}
		}
	}
}

// TestStrangersDoNotBlock: however many connections others hold open, the API server is
// heard, and so are its clients.
func TestStrangersDoNotBlock(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "*,-app,-demo")
	h.spawn("app-controller")
	h.runs("app", "demo")
	entry := h.entries()["app"]
	hook, err := url.Parse(entry.PassthroughEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	const many = 700
	var last net.Conn
	for _, address := range []string{hook.Host, h.status().Address, net.JoinHostPort("127.0.0.1", fmt.Sprint(entry.HealthPort))} {
		for i := range many {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if i == 0 {
				last = conn
			}
		}
		_ = last.SetReadDeadline(time.Now().Add(3 * time.Second)) // before the handshake's time is over
		if _, err := last.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("the first of %d connections to %s stays open: %v", many, address, err)
		}
	}
	h.makeDemo()
	if code, body, err := h.stranger(http.MethodGet, entry.HealthEndpoint, nil, nil); code != http.StatusOK || body != "ok" {
		t.Errorf("health: %d %s %v", code, body, err)
	}
}

// TestForeignCluster: an API server that shows no certificate knows the webhook by its
// path, which is another one at each start.
func TestForeignCluster(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "")
	kubeconfig := h.foreign()
	var paths []string
	for range 2 {
		p := h.spawn("app-controller", "--kubeconfig", kubeconfig)
		p.says("Running: app, demo")
		hook, err := url.Parse(h.webhook())
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, hook.Path)
		h.tellsNothing("the secure port", hook.Host, nil)
		if code, body, err := h.stranger(http.MethodPost, hook.String(), nil, nil); code != http.StatusOK || !strings.Contains(body, `"uid":"1"`) {
			t.Errorf("with the path: %d %s %v", code, body, err)
		}
		h.makeDemo()
		h.ok("ctl", "delete", "demo", "asked")
		if code := p.interrupt(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	if paths[0] == paths[1] || len(paths[0]) < 50 {
		t.Errorf("the paths are %q", paths)
	}
}

// foreign returns a kubeconfig for the API server which does not say whose it is.
func (h *home) foreign() string {
	h.t.Helper()
	config := h.config()
	target, err := url.Parse(config.Host)
	if err != nil {
		h.t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(config.CAData)
	server := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}},
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path == "/version" {
				r.Body = io.NopCloser(strings.NewReader(`{"gitVersion":"v1.30.0"}`))
				r.ContentLength = -1
				r.Header.Del("Content-Length")
			}
			return nil
		},
	})
	h.t.Cleanup(server.Close)
	path := filepath.Join(h.dir, "kubeconfig-foreign")
	text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}], "+
		"users: [{name: u, user: {token: %q}}], contexts: [{name: c, context: {cluster: c, user: u}}]}", server.URL, config.BearerToken)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// TestWithoutAuthority: a program that could not tell the API server from others does
// not start.
func TestWithoutAuthority(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "")
	path := filepath.Join(h.dir, "kubeconfig-insecure")
	config := h.config()
	text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}], "+
		"users: [{name: u, user: {token: %q}}], contexts: [{name: c, context: {cluster: c, user: u}}]}", config.Host, config.BearerToken)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := h.runProgram(filepath.Join(programs, "app-controller"), "--kubeconfig", path)
	if r.code != 2 || !strings.Contains(r.stderr, "no certificate authority") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// TestPrometheus: a ServiceAccount that may read metrics, and nothing else, reads those
// of the daemon and of other programs with its token.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start", "--controllers", "*,-app,-demo")
	h.spawn("app-controller")
	h.runs("app", "demo")
	h.ok("ctl", "create", "serviceaccount", "prometheus")
	h.ok("ctl", "create", "clusterrolebinding", "prometheus", "--clusterrole=system:monitoring", "--serviceaccount=rancher-desktop:prometheus")
	bearer := http.Header{"Authorization": {"Bearer " + strings.TrimSpace(h.ok("ctl", "create", "token", "prometheus"))}}
	daemon := "https://" + h.status().Address
	for address, words := range map[string]string{
		daemon + "/metrics":                "apiserver_request_total",
		daemon + "/metrics/controllers":    "controller_runtime_reconcile_total",
		h.entries()["app"].MetricsEndpoint: "controller_runtime_reconcile_total",
	} {
		h.eventually(address, func() (bool, string) { // the binding is heeded when an informer has seen it
			code, body, err := h.stranger(http.MethodGet, address, nil, bearer)
			return code == http.StatusOK && strings.Contains(body, words), fmt.Sprint(code, err, body[:min(len(body), 200)])
		})
	}
	if code, body, err := h.stranger(http.MethodGet, daemon+"/api/v1/secrets", nil, bearer); code != http.StatusForbidden {
		t.Errorf("secrets: %d %s %v", code, body, err)
	}
}
