// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"net"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// dialHandshake makes the connections of calls whose connection becomes a stream
// of bytes. The API's client reads the headers of the answer itself, without a
// limit.
func dialHandshake(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &handshakeConn{Conn: conn}, nil
	}
}

// handshakeConn fails where the first empty line, which ends the headers, does
// not come in time. It is read by one goroutine.
type handshakeConn struct {
	net.Conn
	read  int
	blank bool // the last byte ended a line
	done  bool
}

// Read implements [net.Conn].
func (c *handshakeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.done {
		return n, err
	}
	for i, b := range p[:n] {
		switch {
		case b == '\n' && c.blank:
			c.done = true
			return n, err
		case b != '\r':
			c.blank = b == '\n'
		}
		if c.read+i > limits.Header {
			return 0, limits.TooLarge("the header of an answer of the engine", limits.Header)
		}
	}
	c.read += n
	return n, err
}

// CloseWrite ends what is sent, where the connection can.
func (c *handshakeConn) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return nil
}
