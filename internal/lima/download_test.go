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

// TestWatchDownload: how far a download is can be seen in Lima's cache alone, and
// how large it is the server says, if it does.
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
			// What is there from another time is no download.
			old := filepath.Join(dir, "data.before")
			if err := os.WriteFile(old, make([]byte, 3<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			told, over := make(chan limav1alpha1.Progress, 1), make(chan struct{})
			go func() {
				defer close(over)
				watchDownload(ctx, cache, []string{url}, func(p limav1alpha1.Progress) {
					select {
					case told <- p:
					default:
					}
				})
			}()
			whole := filepath.Join(cache, "whole") // so that no part of it is seen
			if err := os.WriteFile(whole, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(whole, filepath.Join(dir, "data.tmp.1")); err != nil {
				t.Fatal(err)
			}
			select {
			case p := <-told:
				percent := int32(-1)
				if p.Percent != nil {
					percent = *p.Percent
				}
				if percent != test.percent || !strings.HasSuffix(p.Message, test.message) {
					t.Errorf("%d %q, want %d %q", percent, p.Message, test.percent, test.message)
				}
			case <-time.After(time.Minute):
				t.Error("nothing is told")
			}
			cancel()
			<-over
		})
	}
}
