// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// TestWatchDownload: the progress comes from Lima's cache, and the size from the
// server, if it reports one.
func TestWatchDownload(t *testing.T) {
	sizes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sized.qcow2" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", "4194304")
	}))
	defer sizes.Close()
	for name, test := range map[string]struct {
		file    string
		percent int32
		message string
	}{
		"a size that is known": {"/sized.qcow2", 25, "/sized.qcow2 (4 MiB)"},
		"an unknown size":      {"/other.qcow2", -1, "/other.qcow2 (0 MiB so far)"},
	} {
		t.Run(name, func(t *testing.T) {
			cache, url := t.TempDir(), sizes.URL+test.file
			dir := downloadDir(cache, url)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			// A file from an earlier download does not count.
			old := filepath.Join(dir, "data.before")
			if err := os.WriteFile(old, make([]byte, 3<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			reports, done := make(chan limav1alpha1.Progress, 1), make(chan struct{})
			go func() {
				defer close(done)
				watchDownload(ctx, cache, []string{url}, func(p limav1alpha1.Progress) {
					select {
					case reports <- p:
					default:
					}
				})
			}()
			whole := filepath.Join(cache, "whole") // rename it, so that no reader finds a part
			if err := os.WriteFile(whole, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(whole, filepath.Join(dir, "data.tmp.1")); err != nil {
				t.Fatal(err)
			}
			select {
			case p := <-reports:
				percent := int32(-1)
				if p.Percent != nil {
					percent = *p.Percent
				}
				if percent != test.percent || !strings.HasSuffix(p.Message, test.message) {
					t.Errorf("%d %q, want %d %q", percent, p.Message, test.percent, test.message)
				}
			case <-time.After(time.Minute):
				t.Error("no progress is reported")
			}
			cancel()
			<-done
		})
	}
}
