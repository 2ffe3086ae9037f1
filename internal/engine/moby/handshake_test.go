// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// TestHandshake: the headers of an answer that becomes a stream have a limit, and
// the stream has none.
func TestHandshake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text  string
		fails bool
	}{
		"a stream":        {"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n" + strings.Repeat("x", 2*limits.Header), false},
		"with bare lines": {"HTTP/1.1 101 Switching Protocols\nA: b\n\n" + strings.Repeat("x", 2*limits.Header), false},
		"endless headers": {"HTTP/1.1 101 Switching Protocols\r\n" + strings.Repeat("A: b\r\n", limits.Header), true},
		"endless header":  {"HTTP/1.1 101 Switching Protocols\r\nA: " + strings.Repeat("x", 2*limits.Header), true},
	} {
		near, far := net.Pipe()
		dial := dialHandshake(func(context.Context, string, string) (net.Conn, error) { return near, nil })
		conn, err := dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(far, test.text)
			_ = far.Close()
		}()
		n, err := io.Copy(io.Discard, conn)
		if errors.Is(err, limits.ErrTooLarge) != test.fails || (!test.fails && n != int64(len(test.text))) {
			t.Errorf("%s: %d of %d bytes, error %v", name, n, len(test.text), err)
		}
		_ = conn.Close()
	}
}
