// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestUser reads what Docker's client has written.
func TestUser(t *testing.T) {
	dir := t.TempDir()
	contexts, err := Open(func(string) string { return dir })
	if err != nil {
		t.Fatal(err)
	}
	if name, err := contexts.Current(); name != "" || err != nil {
		t.Errorf("without a file: %q, %v", name, err)
	}
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.json", `{"auths": {}, "currentContext": "far"}`)
	if name, err := contexts.Current(); name != "far" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := contexts.Host("far"); err == nil {
		t.Error("a context that is not there has a host")
	}
	write(fmt.Sprintf("contexts/meta/%x/meta.json", sha256.Sum256([]byte("far"))),
		`{"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": "ssh://far", "SkipTLSVerify": false}}}`)
	if host, err := contexts.Host("far"); host != "ssh://far" || err != nil {
		t.Errorf("%q, %v", host, err)
	}
	write("config.json", "nonsense")
	if _, err := contexts.Current(); err == nil {
		t.Error("nonsense was read")
	}
}
