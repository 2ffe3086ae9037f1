// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gorilla/websocket"
)

// hello answers with a greeting and the request's path.
func hello() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")             // the response repeats the client's text
		_, _ = fmt.Fprintf(w, "Hello, world!\nPath = %q\n", r.URL.Path) //nolint:gosec // plain text
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			for _, value := range r.Header[name] {
				_, _ = fmt.Fprintf(w, "%s: %s\n", name, value) //nolint:gosec // plain text
			}
		}
	})
}

// maxMessage bounds a client's message, in bytes.
const maxMessage = 1 << 20

// websocketEcho sends a greeting over a WebSocket, and echoes messages.
func websocketEcho() http.Handler {
	// The API server has authenticated the client by a token, which pages of other
	// sites don't have: the origin needs no check.
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // the upgrader has sent an error
		}
		defer func() { _ = conn.Close() }()
		conn.SetReadLimit(maxMessage)
		if err := conn.WriteMessage(websocket.TextMessage, []byte("hello from websocket")); err != nil {
			return
		}
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if err := conn.WriteMessage(kind, message); err != nil {
				return
			}
		}
	})
}
