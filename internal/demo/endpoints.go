// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gorilla/websocket"
)

// hello answers with a greeting, and with what it was asked.
func hello() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")             // it repeats what others sent
		_, _ = fmt.Fprintf(w, "Hello, world!\nPath = %q\n", r.URL.Path) //nolint:gosec // plain text
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			for _, value := range r.Header[name] {
				_, _ = fmt.Fprintf(w, "%s: %s\n", name, value) //nolint:gosec // plain text
			}
		}
	})
}

// maxMessage bounds what a client may send at once, in bytes.
const maxMessage = 1 << 20

// websocketEcho greets over a WebSocket, and sends back what it is sent.
func websocketEcho() http.Handler {
	// The API server has authenticated the client by a token, which no other
	// site's page knows: the origin says nothing more.
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // the upgrader has answered
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
