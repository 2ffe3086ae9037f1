// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// recorded is an engine that has one container's log.
type recorded struct {
	engine.Engine
	log io.Reader
}

func (r recorded) Logs(context.Context, engine.Key, engine.LogOptions) (io.ReadCloser, error) {
	return io.NopCloser(r.log), nil
}

// breaking reads a text, and then fails.
type breaking struct {
	io.Reader
	err error
}

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func serveLog(t *testing.T, of engine.Engine) (address string) {
	t.Helper()
	server := httptest.NewServer(Logs(func(context.Context, string) (engine.Engine, engine.Key, error) { return of, engine.Key{}, nil }))
	t.Cleanup(server.Close)
	return server.URL + "/c"
}

// TestLogsAreBytes: every byte arrives unchanged, and so does the reason of the end.
func TestLogsAreBytes(t *testing.T) {
	all := make([]byte, 0, 256*1000)
	for range 1000 {
		for b := range 256 {
			all = append(all, byte(b))
		}
	}
	long := strings.Repeat("x", 2*maxReason)
	for name, test := range map[string]struct {
		err    error
		code   int
		reason string
	}{
		"the end":   {io.EOF, websocket.CloseNormalClosure, ""},
		"a fault":   {errors.New("the engine broke"), websocket.CloseInternalServerErr, "the engine broke"},
		"verbosity": {errors.New(long), websocket.CloseInternalServerErr, long[:maxReason]},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveLog(t, recorded{log: breaking{strings.NewReader(string(all)), test.err}})
			conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(address, "http"), nil) //nolint:bodyclose // the library reads it
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			var got []byte
			for {
				kind, message, err := conn.ReadMessage()
				if err == nil && kind != websocket.BinaryMessage {
					t.Fatalf("a message of type %d", kind)
				}
				got = append(got, message...)
				if err != nil {
					var end *websocket.CloseError
					if !errors.As(err, &end) || end.Code != test.code || end.Text != test.reason {
						t.Errorf("the log ended with %v", err)
					}
					break
				}
			}
			if string(got) != string(all) {
				t.Errorf("%d bytes arrived of %d, or others", len(got), len(all))
			}
		})
	}
}

// TestNoStream: what gets no stream gets an answer that says why.
func TestNoStream(t *testing.T) {
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
	for name, test := range map[string]struct {
		of     engine.Engine
		header http.Header
		code   int
		words  string
	}{
		"no WebSocket": {recorded{}, http.Header{}, http.StatusUpgradeRequired, "this endpoint requires a WebSocket"},
		"no logs":      {struct{ engine.Engine }{}, upgrade, http.StatusConflict, "this engine keeps no logs"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serveLog(t, test.of), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = test.header
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != test.code || !strings.Contains(string(body), test.words) {
				t.Errorf("%d %s, want %d %q", response.StatusCode, body, test.code, test.words)
			}
		})
	}
}
