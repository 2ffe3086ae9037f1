// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestGuestDir: a shell starts in the user's directory, if the guest has it.
func TestGuestDir(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"home/work/deep", "homeless", "else"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "home"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	at := func(dir string) string { return filepath.Join(root, dir) }
	var i Instance
	text, err := json.Marshal(map[string]any{"config": map[string]any{
		"user": map[string]string{"home": "/home/u.guest"},
		"mounts": []map[string]any{
			{"location": at("home"), "mountPoint": "/h"}, {"location": at("home/work")}, {"location": ""},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &i); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		at("home"):           "/h",
		at("home/x"):         "/h/x",
		at("home/work"):      filepath.ToSlash(at("home/work")),
		at("home/work/deep"): filepath.ToSlash(at("home/work/deep")), // the innermost mount
		at("homeless"):       "/home/u.guest",
		at("else"):           "/home/u.guest",
		root:                 "/home/u.guest",
		"":                   "/home/u.guest",
		at("link"):           "/h",
		at("link/../home"):   "/h",
	} {
		if got := i.GuestDir(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}
