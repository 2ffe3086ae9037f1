// SPDX-License-Identifier: Apache-2.0

// Package releases reads a feed of RDD's releases. It changes nothing.
package releases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	rddversion "github.com/rancher-sandbox/rancher-desktop-daemon/internal/version"
)

const (
	limit = 20 * time.Second
	// maxFeed is how much of a feed is read, in bytes.
	maxFeed = 1 << 20
)

// Release is one release of a feed. tag_name, html_url, prerelease and draft are the
// names that the feeds of code hosts have.
type Release struct {
	Version    string `json:"version"`
	URL        string `json:"url"`
	TagName    string `json:"tag_name,omitempty"`
	HTMLURL    string `json:"html_url,omitempty"`
	Prerelease bool   `json:"prerelease,omitempty"`
	Draft      bool   `json:"draft,omitempty"`
}

// Check is what `rdd upgrade --check -o json` prints.
type Check struct {
	Current string `json:"current"`
	// Enabled is whether updates may be looked for.
	Enabled bool `json:"enabled"`
	// Feed is where they are looked for; empty for nowhere.
	Feed string `json:"feed"`
	// Newest is the newest release; empty if it is unknown.
	Newest string `json:"newest,omitempty"`
	// URL is where the newest release is.
	URL string `json:"url,omitempty"`
	// Newer is whether the newest release is newer than this program.
	Newer bool `json:"newer"`
}

// Look compares this program with the feed's newest release.
func Look(ctx context.Context, feed string) (Check, error) {
	check := Check{Current: rddversion.RDD(), Enabled: true, Feed: feed}
	list, err := read(ctx, feed)
	if err != nil {
		return check, fmt.Errorf("read the releases at %s: %w", feed, err)
	}
	newest, found := newest(list)
	if newest == nil {
		return check, fmt.Errorf("read the releases at %s: it names none", feed)
	}
	check.Newest, check.URL = strings.TrimPrefix(found.Version, "v"), found.URL
	current, err := version.ParseSemantic(check.Current)
	if err != nil {
		return check, fmt.Errorf("the version of this program is no release: %q", check.Current)
	}
	check.Newer = current.LessThan(newest)
	return check, nil
}

func read(ctx context.Context, feed string) ([]Release, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, feed, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "rdd/"+rddversion.RDD())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxFeed+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFeed {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFeed)
	}
	return parse(data)
}

// parse reads one release, or a list of them.
func parse(data []byte) ([]Release, error) {
	var list []Release
	if strings.HasPrefix(strings.TrimSpace(string(data)), "[") {
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
	} else {
		var one Release
		if err := json.Unmarshal(data, &one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	for i := range list {
		r := &list[i]
		if r.Version == "" {
			r.Version = r.TagName
		}
		if r.HTMLURL != "" { // url is that of an API then
			r.URL = r.HTMLURL
		}
	}
	return list, nil
}

// newest returns the newest finished release.
func newest(list []Release) (newest *version.Version, found Release) {
	for _, r := range list {
		parsed, err := version.ParseSemantic(r.Version)
		if err != nil || r.Draft || r.Prerelease || parsed.PreRelease() != "" {
			continue
		}
		if newest == nil || newest.LessThan(parsed) {
			newest, found = parsed, r
		}
	}
	return newest, found
}
