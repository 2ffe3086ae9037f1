// SPDX-License-Identifier: Apache-2.0

package streams

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// frameSize is the most that one message carries, in bytes.
	frameSize = 32 << 10
	// stopGrace is how long a client may take to read the rest when the daemon
	// stops.
	stopGrace = time.Second
	// probePeriod is the time between two checks of a client while its input is not
	// read.
	probePeriod = 250 * time.Millisecond
	// maxReason bounds the reason in a close message, in bytes (RFC 6455, 5.5).
	maxReason = 123
)

// connection is one end of a WebSocket. Writes have no deadline: a client may read
// slowly, a pager for hours. The system detects that a client is gone: the connection
// is reset, or its keep-alive fails.
type connection struct {
	ws *websocket.Conn
	// pongs has the pong to send; a newer one replaces it.
	pongs  chan string
	closed chan struct{}
	close  func() // may be called again

	mu    sync.Mutex
	frame []byte // guarded by mu; held for each message
}

// newConnection returns a connection that owns an open WebSocket.
func newConnection(ws *websocket.Conn) *connection {
	c := &connection{ws: ws, pongs: make(chan string, 1), closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() {
		close(c.closed)
		_ = ws.Close()
	})
	// The library's answer to a ping has a deadline, which breaks the connection if
	// the peer is slow.
	ws.SetPingHandler(func(payload string) error {
		c.pong(payload)
		return nil
	})
	return c
}

// accept upgrades a request to a WebSocket. If that fails, it answers the request.
func accept(w http.ResponseWriter, request *http.Request, protocol string) (*connection, error) {
	upgrader := websocket.Upgrader{
		// Browsers that send a token as a subprotocol name another one, too.
		Subprotocols: []string{protocol},
		// The API server authenticates the client by a token, which pages of other
		// sites do not have.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	ws, err := upgrader.Upgrade(w, request, nil)
	if err != nil {
		return nil, err
	}
	return newConnection(ws), nil
}

// pong queues a pong. A pong without a ping needs no answer, and fails if the peer is
// gone.
func (c *connection) pong(payload string) {
	for {
		select {
		case c.pongs <- payload:
			return
		default:
		}
		select {
		case <-c.pongs:
		default:
		}
	}
}

// sendPongs sends pongs until the connection is closed.
func (c *connection) sendPongs() {
	for {
		select {
		case <-c.closed:
			return
		case payload := <-c.pongs:
			err := c.ws.WriteControl(websocket.PongMessage, []byte(payload), time.Time{})
			if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
				c.close()
				return
			}
		}
	}
}

// write sends data in messages that begin with the prefix.
func (c *connection) write(prefix, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for first := true; first || len(data) > 0; first = false {
		n := min(len(data), frameSize)
		c.frame = append(append(c.frame[:0], prefix...), data[:n]...)
		if err := c.ws.WriteMessage(websocket.BinaryMessage, c.frame); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// finish sends a close message, and closes the connection when the peer has read
// everything and answers with its own close message: if the connection were closed
// before, the system would discard data that the peer has not read. The reader of the
// peer's messages must continue until then, and close read. After the end of ctx the
// peer has stopGrace left.
func (c *connection) finish(ctx context.Context, code int, reason string, read <-chan struct{}) {
	defer context.AfterFunc(ctx, func() {
		timer := time.NewTimer(stopGrace)
		defer timer.Stop()
		select {
		case <-c.closed:
		case <-timer.C:
			c.close()
		}
	})()
	message := websocket.FormatCloseMessage(code, shorten(reason))
	if c.ws.WriteControl(websocket.CloseMessage, message, time.Time{}) == nil {
		<-read
	}
	c.close()
}

// shorten cuts a text to maxReason.
func shorten(reason string) string {
	return strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
}

// channel is one stream of bytes among those of a connection.
type channel struct {
	*connection
	number byte
}

// Write implements [io.Writer].
func (c channel) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := c.write([]byte{c.number}, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

var _ io.Writer = channel{}
