// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/utils/ptr"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

const (
	// downloadPoll is the interval between reads of a download's size: limactl reports
	// none.
	downloadPoll = 500 * time.Millisecond
	// sizeLimit bounds a request for the size of a file.
	sizeLimit = 10 * time.Second
)

// watchDownload reports how much of an image is downloaded, while limactl downloads one
// of the URLs into the user's cache, until ctx ends.
func watchDownload(ctx context.Context, cache string, urls []string, report func(limav1alpha1.Progress)) {
	ticker := time.NewTicker(downloadPoll)
	defer ticker.Stop()
	began, totals := time.Now(), map[string]int64{}
	for {
		for _, url := range urls {
			has := downloaded(downloadDir(cache, url), began)
			if has == 0 {
				continue
			}
			if _, asked := totals[url]; !asked {
				totals[url] = sizeOf(ctx, url)
			}
			report(downloading(url, has, totals[url]))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// downloading returns the progress of a download. With a percentage the message stays
// the same: it is copied into conditions.
func downloading(url string, has, total int64) limav1alpha1.Progress {
	if total > 0 {
		return limav1alpha1.Progress{
			Message: fmt.Sprintf("downloading %s (%d MiB)", url, total>>20),
			Percent: ptr.To(int32(max(0, min(100, float64(has)/float64(total)*100)))),
		}
	}
	const step = 50 << 20
	return limav1alpha1.Progress{Message: fmt.Sprintf("downloading %s (%d MiB so far)", url, has/step*step>>20)}
}

// downloadDir returns the directory of a download in the user's Lima cache.
func downloadDir(cache, url string) string {
	return filepath.Join(cache, "lima", "download", "by-url-sha256", fmt.Sprintf("%x", sha256.Sum256([]byte(url))))
}

// downloaded returns the size of the part of a file that was downloaded since a time,
// in bytes.
func downloaded(dir string, since time.Time) int64 {
	files, err := filepath.Glob(filepath.Join(dir, "data*"))
	if err != nil {
		return 0
	}
	var size int64
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && !info.ModTime().Before(since.Truncate(time.Second)) {
			size = max(size, info.Size())
		}
	}
	return size
}

// sizeOf asks a server for the size of a file, in bytes; 0 if the server does not
// report it.
func sizeOf(ctx context.Context, url string) int64 {
	ctx, cancel := context.WithTimeout(ctx, sizeLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0
	}
	return response.ContentLength
}
