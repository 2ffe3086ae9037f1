// SPDX-License-Identifier: Apache-2.0

//go:build unix

package simulated

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestNamedPipe: an endpoint that is a named pipe, or a device, is an error at
// once: the opening of a pipe waits for a writer.
func TestNamedPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // unblocks readers that wait for a writer
		if writer, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
			_ = writer.Close()
		}
	})
	for _, path := range []string{path, "/dev/zero", filepath.Dir(path)} {
		e, err := New(Config{Endpoint: "file://" + path})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = e.Close() }()
		returns(t, "Info of "+path, func() {
			if _, err := e.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s: %v", path, err)
			}
		})
		returns(t, "Watch of "+path, func() {
			if err := e.Watch(t.Context(), time.Now(), func() {}, func(engine.Event) {}); err == nil {
				t.Errorf("%s can be watched", path)
			}
		})
	}
}
