// SPDX-License-Identifier: Apache-2.0

package passthrough_test

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

const token = "secret"

// received is the request that a handler receives.
type received struct {
	Path, RequestURI, RawPath string
	Header                    http.Header
	Trailer                   http.Header
}

// hops are the routes to a handler: in the API server's process, and in another process
// behind it. The client is authenticated as jane.
func hops(t *testing.T) map[string]string {
	t.Helper()
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1000))
		_ = json.NewEncoder(w).Encode(received{r.URL.Path, r.RequestURI, r.URL.RawPath, r.Header, r.Trailer})
	})
	endpoints := passthrough.Endpoints{"demo": {"echo": echo}}
	far := httptest.NewTLSServer(&passthrough.Server{Endpoints: func() passthrough.Endpoints { return endpoints }, Token: token})
	t.Cleanup(far.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: far.Certificate().Raw})
	addresses := map[string]string{}
	for name, router := range map[string]*passthrough.Router{
		"in the same process": {Local: func() passthrough.Endpoints { return endpoints }},
		"in another process": {Local: func() passthrough.Endpoints { return nil }, Remote: func(context.Context) ([]passthrough.Remote, error) {
			return []passthrough.Remote{{Endpoints: endpoints.Names(), URL: far.URL, CA: authority, Token: token}}, nil
		}},
	} {
		router.Log = slog.New(slog.DiscardHandler)
		near := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			jane := &user.DefaultInfo{Name: "jane", Groups: []string{"g1", "g2"}}
			router.ServeHTTP(w, r.WithContext(request.WithUser(r.Context(), jane)))
		}))
		t.Cleanup(near.Close)
		addresses[name] = near.Listener.Addr().String()
	}
	return addresses
}

// raw sends a request verbatim, and returns what the handler receives.
func raw(t *testing.T, address, text string) received {
	t.Helper()
	plain, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	_ = plain.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprint(plain, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(plain), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var s received
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", response.Status, err)
	}
	return s
}

// TestIdentity: a handler gets the client's identity and route from the API server
// only, whatever headers the client sends, and names in Connection.
func TestIdentity(t *testing.T) {
	const forged = `X-Remote-User: root
X-Remote-User: root2
x-remote-group: system:masters
X-Remote-Uid: 0
X-Remote-Extra-Scopes: all
X_Remote_User: root
X-Remote_Group: system:masters
X-Forwarded-For: 10.0.0.1
X-Forwarded-Prefix: /evil
X-Forwarded-Host: evil
X-Forwarded-Proto: gopher
X-Forwarded-Client-Cert: evil
X_Forwarded_For: 10.0.0.1
Forwarded: for=10.0.0.1
X-Real-Ip: 10.0.0.1
Impersonate-User: root
Authorization: Bearer mine
Proxy-Authorization: Basic mine
X-Rdd-Passthrough-Token: secret
X-Mine: kept
`
	for name, connection := range map[string]string{
		"nothing":         "",
		"the identity":    "Connection: X-Remote-User, X-Remote-Group\n",
		"everything":      "Connection: close, x-remote-user,X-REMOTE-GROUP , X-Remote-Extra-Scopes, X-Forwarded-For, X-Forwarded-Prefix, X-Forwarded-Host, X-Forwarded-Proto, X-Rdd-Passthrough-Token, Authorization\n",
		"several lines":   "Connection: keep-alive\nConnection: X-Remote-User\nconnection: X-Forwarded-Prefix,X-Remote-Group\n",
		"with an upgrade": "Connection: Upgrade, X-Remote-User, X-Remote-Group\nUpgrade: websocket\n",
		"HTTP/2":          "Connection: Upgrade, HTTP2-Settings, X-Remote-User\nUpgrade: h2c\nHTTP2-Settings: AAA\n",
		"two upgrades":    "Connection: Upgrade\nUpgrade: websocket\nUpgrade: h2c\n",
		"Keep-Alive":      "Keep-Alive: X-Remote-User\nProxy-Connection: X-Remote-User\nTE: trailers\n",
		"itself":          "Connection: Connection, Upgrade, X-Remote-User\nUpgrade: websocket\n",
	} {
		t.Run(name, func(t *testing.T) {
			for hop, address := range hops(t) {
				got := raw(t, address, "GET /passthrough/demo/echo/a HTTP/1.1\nHost: rdd\n"+forged+connection+"\n")
				for header, want := range map[string][]string{
					"X-Remote-User": {"jane"}, "X-Remote-Group": {"g1", "g2"}, "X-Forwarded-For": {"127.0.0.1"},
					"X-Forwarded-Prefix": {"/passthrough/demo/echo"}, "X-Forwarded-Host": {"rdd"}, "X-Forwarded-Proto": {"https"}, "X-Mine": {"kept"},
				} {
					if !slices.Equal(got.Header[header], want) {
						t.Errorf("%s: %s is %q, want %q", hop, header, got.Header[header], want)
					}
				}
				text := fmt.Sprint(got.Header)
				for _, word := range []string{"root", "all", "system:masters", "evil", "gopher", "10.0.0.1", "bearer", "basic", "secret", "h2c", "uid"} {
					if strings.Contains(strings.ToLower(text), word) {
						t.Errorf("%s: the handler sees %q in %s", hop, word, text)
					}
				}
				if upgrade := strings.Join(got.Header["Upgrade"], ","); upgrade != "" && upgrade != "websocket" {
					t.Errorf("%s: the upgrade is %q", hop, upgrade)
				}
				if wanted := name == "with an upgrade" || name == "itself"; wanted != (got.Header.Get("Upgrade") == "websocket") {
					t.Errorf("%s: %s", hop, text)
				}
			}
		})
	}
}

// TestTrailers: trailers are not headers.
func TestTrailers(t *testing.T) {
	for hop, address := range hops(t) {
		got := raw(t, address, "POST /passthrough/demo/echo HTTP/1.1\nHost: rdd\nTransfer-Encoding: chunked\nTrailer: X-Remote-User\n\n1\nx\n0\nX-Remote-User: root\n\n")
		if !slices.Equal(got.Header["X-Remote-User"], []string{"jane"}) || len(got.Trailer) > 0 {
			t.Errorf("%s: %v, trailer %v", hop, got.Header, got.Trailer)
		}
	}
}

// TestPath: a handler gets the path without the prefix.
func TestPath(t *testing.T) {
	for path, want := range map[string]received{
		"/passthrough/demo/echo":              {Path: "/", RequestURI: "/"},
		"/passthrough/demo/echo/":             {Path: "/", RequestURI: "/"},
		"/passthrough/demo/echo/a/b?c=d%20e":  {Path: "/a/b", RequestURI: "/a/b?c=d%20e"},
		"/passthrough/demo/echo/a%2Fb/c":      {Path: "/a/b/c", RawPath: "/a%2Fb/c", RequestURI: "/a%2Fb/c"},
		"/passthrough/d%65mo/echo/a":          {Path: "/a", RequestURI: "/a"},
		"/passthrough/demo/echo/passthrough/": {Path: "/passthrough/", RequestURI: "/passthrough/"},
	} {
		for hop, address := range hops(t) {
			got := raw(t, address, "GET "+path+" HTTP/1.1\nHost: rdd\n\n")
			if got.Path != want.Path || got.RawPath != want.RawPath || got.RequestURI != want.RequestURI {
				t.Errorf("%s: %s is received as %+v, want %+v", hop, path, got, want)
			}
		}
	}
}
