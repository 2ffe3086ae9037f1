// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/connectivity"
)

// TestNobodyRedials: the library gives up if nothing listens, since the callers
// retry.
func TestNobodyRedials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.sock")
	d := &dialer{endpoint: "unix://" + path, path: path}
	conn, err := d.client()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*idleTimeout)
	defer cancel()
	conn.Connect()
	failed := false
	for state := conn.GetState(); !failed || state != connectivity.Idle; state = conn.GetState() {
		failed = failed || state == connectivity.TransientFailure
		if !conn.WaitForStateChange(ctx, state) {
			t.Fatalf("it still tries: %s", state)
		}
	}
}

// TestExplain: an error says what to do.
func TestExplain(t *testing.T) {
	e, err := New(Config{Endpoint: "unix://" + filepath.Join(t.TempDir(), "none.sock")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	began := time.Now()
	if _, err := e.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "no such socket: check that containerd runs") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > callTimeout/2 {
		t.Errorf("it took %s to say so", took)
	}
	if _, err := New(Config{Endpoint: "tcp://127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "only with unix://") {
		t.Errorf("%v", err)
	}
}

// TestConnectionsThatBreak: many ask at once who is there, while each connection
// breaks as soon as it stands. The race detector looks on: the library's
// while connections come and go.
func TestConnectionsThatBreak(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer func() { _ = listener.Close() }()
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00")) // HTTP/2's first frame: it is ready
			time.AfterFunc(time.Millisecond, func() { _ = conn.Close() })
		}
	})
	e, err := New(Config{Endpoint: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for range 4 {
		running.Go(func() {
			for ctx.Err() == nil {
				if info, err := e.Info(ctx); err == nil {
					t.Errorf("%+v without an engine", info)
				}
			}
		})
	}
	<-ctx.Done()
}
