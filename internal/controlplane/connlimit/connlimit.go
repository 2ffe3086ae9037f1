// SPDX-License-Identifier: Apache-2.0

// Package connlimit limits unauthenticated connections, so that they can neither
// exhaust a server's memory and files nor lock out other clients.
package connlimit

import (
	"container/list"
	"net"
	"sync"
)

// Listener keeps a limited number of unauthenticated connections. It closes the oldest
// one for a new one: a client with credentials authenticates within milliseconds,
// regardless of how many connections other clients hold.
type Listener struct {
	net.Listener
	limit int

	mu    sync.Mutex
	order *list.List               // guarded by mu; of *conn, the oldest first
	conns map[string]*list.Element // guarded by mu; by the client's address
}

// New returns a listener that keeps up to limit unauthenticated connections.
func New(inner net.Listener, limit int) *Listener {
	return &Listener{Listener: inner, limit: limit, order: list.New(), conns: map[string]*list.Element{}}
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, listener: l, address: inner.RemoteAddr().String()}
	if oldest := l.add(c); oldest != nil {
		_ = oldest.Conn.Close()
	}
	return c, nil
}

// add adds a connection, and returns the one to close for it, or nil.
func (l *Listener) add(c *conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c.address] = l.order.PushBack(c)
	if l.order.Len() <= l.limit {
		return nil
	}
	oldest := l.order.Front().Value.(*conn)
	l.removeLocked(oldest)
	return oldest
}

// Authenticated records that the client at the address ([net/http.Request].RemoteAddr)
// has authenticated: its connection stays open.
func (l *Listener) Authenticated(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if element, ok := l.conns[address]; ok {
		l.removeLocked(element.Value.(*conn))
	}
}

func (l *Listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(c)
}

func (l *Listener) removeLocked(c *conn) {
	if element, ok := l.conns[c.address]; ok && element.Value == c {
		l.order.Remove(element)
		delete(l.conns, c.address)
	}
}

type conn struct {
	net.Conn
	listener *Listener
	address  string
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.listener.remove(c)
	return c.Conn.Close()
}
