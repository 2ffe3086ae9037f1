// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"bytes"
	"net/url"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"k8s.io/client-go/tools/remotecommand"
)

// lateReader begins to read after a while.
type lateReader struct{ n int }

func (r *lateReader) Write(p []byte) (int, error) {
	if r.n == 0 {
		time.Sleep(1500 * time.Millisecond)
	}
	r.n += len(p)
	return len(p), nil
}

// suiteSlowReader: all that a process wrote and its exit code arrive where the client
// reads late, and where the process did not read its input.
func suiteSlowReader(d *driver) {
	server := d.endpoints()
	id := d.run("slow", container.Config{}, container.HostConfig{})
	for name, test := range map[string]struct {
		script     string
		size, code int
	}{
		"much":         {"head -c 20000000 /dev/zero; exit 3", 20_000_000, 3},
		"little":       {"head -c 200000 /dev/zero; exit 4", 200_000, 4},
		"unread input": {"exit 9", 0, 9},
	} {
		d.t.Run(name, func(t *testing.T) {
			var stdout lateReader
			input := make([]byte, 4<<20)
			if !d.has.unreadInput && test.size > 0 {
				input = nil
			}
			err := d.executor(server, id, url.Values{}, "sh", "-c", test.script).StreamWithContext(t.Context(),
				remotecommand.StreamOptions{Stdin: bytes.NewReader(input), Stdout: &stdout})
			if code := exitCode(t, err); code != test.code || stdout.n != test.size {
				t.Errorf("exit code %d and %d bytes, want %d and %d", code, stdout.n, test.code, test.size)
			}
		})
	}
	d.discard(id)
}
