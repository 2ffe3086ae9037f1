// SPDX-License-Identifier: Apache-2.0

package connlimit

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestOldestStrangerLeaves: a connection beyond the limit closes the oldest
// unauthenticated one, and no authenticated one.
func TestOldestStrangerLeaves(t *testing.T) {
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3
	listener := New(inner, limit)
	defer func() { _ = listener.Close() }()
	connect := func() (client, server net.Conn) {
		t.Helper()
		client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if server, err = listener.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		return client, server
	}
	closed := func(client net.Conn) bool {
		_ = client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		return errors.Is(err, io.EOF)
	}
	member, at := connect()
	listener.Authenticated(at.RemoteAddr().String())
	first, _ := connect()
	left, leaving := connect()
	_ = leaving.Close()
	_ = left.Close()
	second, _ := connect()
	third, _ := connect()
	if closed(first) {
		t.Error("a connection within the limit was closed")
	}
	fourth, _ := connect()
	if !closed(first) {
		t.Error("the oldest connection is open beyond the limit")
	}
	for range 10 {
		connect()
	}
	if closed(member) {
		t.Error("the connection of a client that has authenticated was closed")
	}
	for _, client := range []net.Conn{second, third, fourth} {
		if !closed(client) {
			t.Error("a connection is open beyond the limit")
		}
	}
}
