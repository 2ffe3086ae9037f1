// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestForeignFiles: an endpoint may lead to any file of the user's, and none of its
// words get into an error.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"passwords":   "root:$6$secret$hash:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
		"settings":    "SECRET=hush\nsecret: hush: hush\n",
		"JSON":        `{"auths": {"secret": {"auth": "hush"}}}`,
		"half JSON":   `{"secret": "hush", `,
		"a list":      `["secret"]`,
		"a key":       "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n",
		"twice":       "secret: 1\nsecret: 2\n",
		"an alias":    "a: *secret\n",
		"a tag":       "a: !!secret hush\nb: !!float hush\n",
		"a quote":     "a: \"secret\\qhush\"\n",
		"a tab":       "a:\n\tsecret: hush\n",
		"control":     "secret\x01hush",
		"not UTF-8":   "a: secret\xff\xfe\n",
		"merged":      "secret: &a [1]\nb:\n  <<: *a\n",
		"a directive": "%SECRET hush\n---\n{}\n",
		"keys":        "? {secret: hush}\n: 1\n",
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		} else if words := strings.ToLower(err.Error()); strings.Contains(words, "secret") || strings.Contains(words, "hush") || strings.Contains(words, "root") {
			t.Errorf("%s: the error has words of the file: %v", name, err)
		}
	}
}

// TestSize: what is larger is no file that was written for this.
func TestSize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file of %d bytes: %v", maxSize+1, err)
	}
}

// returns fails the test where f does not return soon.
func returns(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Errorf("%s waits", what)
	}
}
