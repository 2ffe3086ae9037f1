// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"k8s.io/client-go/rest"
)

// ask makes a request to the API server's port, with a token or without.
func (h *home) ask(method, path, token string, header http.Header) (int, string) {
	h.t.Helper()
	return h.askAt(h.config(), method, path, token, header)
}

func (h *home) askAt(config *rest.Config, method, path, token string, header http.Header) (int, string) {
	h.t.Helper()
	config = rest.AnonymousClientConfig(config)
	if len(header["Connection"]) > 0 {
		config.NextProtos = []string{"http/1.1"} // the next version has no such header
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, config.Host+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestPassthrough: the endpoints of a controller are reached through the API
// server's port, wherever the controller runs.
func TestPassthrough(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"daemon", "external"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			external := h.startWith(place, "app-controller", "app", "app", "demo")
			token := h.config().BearerToken
			forged := http.Header{"X-Remote-User": {"forged"}, "X-Remote-Group": {"system:masters"}, "X-Mine": {"kept"},
				"X-Remote-Extra-Role": {"forged"}, "X_remote_user": {"forged"}, "X-Forwarded-For": {"forged"}, "X-Forwarded-Prefix": {"forged"},
				"Connection": {"X-Remote-User, X-Remote-Group", "x-forwarded-for,X-Forwarded-Prefix", "X-Gone"}, "X-Gone": {"forged"}}
			code, body := h.ask(http.MethodGet, "/passthrough/demo/hello/a/b?c=d", token, forged)
			if code != http.StatusOK || !strings.HasPrefix(body, "Hello, world!") {
				t.Errorf("hello: %d %s", code, body)
			}
			for _, words := range []string{"Path = \"/a/b\"\n", "X-Mine: kept", "X-Remote-User: rdd:admin\n", "X-Remote-Group: system:masters\n",
				"X-Forwarded-For: 127.0.0.1\n", "X-Forwarded-Prefix: /passthrough/demo/hello\n"} {
				if !strings.Contains(body, words) {
					t.Errorf("hello does not say %q: %s", words, body)
				}
			}
			for _, words := range []string{token, "forged", "Authorization"} {
				if strings.Contains(body, words) {
					t.Errorf("the endpoint has seen %q: %s", words, body)
				}
			}
			for _, path := range []string{"/passthrough/demo/nothing", "/passthrough/unknown/hello", "/passthrough/"} {
				if code, body := h.ask(http.MethodGet, path, token, nil); code != http.StatusNotFound || !strings.Contains(body, "demo/hello, demo/websocket") {
					t.Errorf("%s: %d %s", path, code, body)
				}
			}
			if code, body := h.ask(http.MethodGet, "/passthrough/demo/hello", "", nil); code != http.StatusUnauthorized || strings.Contains(body, "Hello") {
				t.Errorf("without a token: %d %s", code, body)
			}
			h.echoes(t, http.Header{"Authorization": {"Bearer " + token}})
			// As a browser does it, which can't set headers.
			protocol := "base64url.bearer.authorization.k8s.io." + base64.RawURLEncoding.EncodeToString([]byte(token))
			h.echoes(t, http.Header{"Sec-Websocket-Protocol": {protocol + ", demo"}})

			if external != nil {
				h.refusesOthers(t)
				external.kill()
				if code, body := h.ask(http.MethodGet, "/passthrough/demo/hello", token, nil); code != http.StatusServiceUnavailable {
					t.Errorf("a process that is gone: %d %s", code, body)
				}
			}
		})
	}
}

// echoes talks to the example of a WebSocket.
func (h *home) echoes(t *testing.T, header http.Header) {
	t.Helper()
	config := h.config()
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(config.CAData)
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: authorities}}
	conn, response, err := dialer.DialContext(t.Context(), "wss"+strings.TrimPrefix(config.Host, "https")+"/passthrough/demo/websocket", header)
	if response != nil {
		_ = response.Body.Close()
	}
	if err != nil {
		t.Errorf("%v: %v", response, err)
		return
	}
	defer func() { _ = conn.Close() }()
	for i, want := range []string{"hello from websocket", "one", "two"} {
		if i > 0 {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(want)); err != nil {
				t.Error(err)
			}
		}
		if _, message, err := conn.ReadMessage(); err != nil || string(message) != want {
			t.Errorf("got %q, %v, want %q", message, err, want)
		}
	}
}

// refusesOthers asks an external process itself, past the API server.
func (h *home) refusesOthers(t *testing.T) {
	t.Helper()
	entry := h.entries()["app"]
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for path, header := range map[string]http.Header{
		"/passthrough/demo/hello": nil,
		"/passthrough/demo/x":     {"X-Rdd-Passthrough-Token": {""}},
		"/metrics":                {"Authorization": {"Bearer none"}},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, entry.PassthroughEndpoint+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode < http.StatusBadRequest {
			t.Errorf("%s answers others: %s", path, response.Status)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, entry.MetricsEndpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.config().BearerToken)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || !strings.Contains(string(body), "controller_runtime_reconcile_total") {
		t.Errorf("metrics: %s %v %v", response.Status, string(body), err)
	}
	health, err := http.Get(entry.HealthEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	_ = health.Body.Close()
	if health.StatusCode != http.StatusOK {
		t.Errorf("health: %s", health.Status)
	}
}
