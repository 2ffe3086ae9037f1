// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pack creates the archives of some platforms from placeholder programs, and returns
// the files with the hashes of their content.
func pack(t *testing.T) map[string]string {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"rdd": "#!/bin/sh\necho completion", "one-controller": "one", "two-controller": "two", "man/rdd.1": "page",
		"LICENSE": "", "README.md": "read", "CHANGELOG.md": "", "docs/page.md": "page",
		"hack/dist/linux/rdd.service": "", "hack/dist/linux/rdd@.service": "", "hack/dist/linux/copyright": "", "hack/dist/linux/lintian-overrides": "",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	d := dist{version: "1.2.3-rc.1", modified: time.Unix(1e9, 0).UTC(), out: out, rdd: "./rdd", man: "man", maintainer: "A <a@b>"}
	common, err := d.common(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []platform{{"linux", "arm64"}, {"windows", "amd64"}, {"darwin", "arm64"}} {
		if err := d.archives(p, common, "rdd", []string{"one-controller", "two-controller"}, []byte("notices")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.sums(); err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(out, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		hashes[entry.Name()] = fmt.Sprintf("%x", sha256.Sum256(data))
		if entry.Name() == "SHA256SUMS" {
			hashes[entry.Name()] = string(data)
		}
	}
	return hashes
}

// TestArchives: each platform has its archives, two runs give the same bytes, and
// SHA256SUMS has the hash of each.
func TestArchives(t *testing.T) {
	first, second := pack(t), pack(t)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second run made something else (-first +second):\n%s", diff)
	}
	sums := first["SHA256SUMS"]
	delete(first, "SHA256SUMS")
	names := slices.Sorted(maps.Keys(first))
	want := []string{
		"rdd-controllers_1.2.3-rc.1_darwin_arm64.tar.gz", "rdd-controllers_1.2.3-rc.1_linux_arm64.tar.gz", "rdd-controllers_1.2.3-rc.1_windows_amd64.zip",
		"rdd_1.2.3-rc.1_darwin_arm64.tar.gz", "rdd_1.2.3-rc.1_linux_arm64.tar.gz", "rdd_1.2.3-rc.1_windows_amd64.zip",
		"rdd_1.2.3~rc.1_arm64.deb",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the files (-want +got):\n%s", diff)
	}
	lines := ""
	for _, name := range names {
		lines += first[name] + "  " + name + "\n"
	}
	if diff := cmp.Diff(lines, sums); diff != "" {
		t.Errorf("SHA256SUMS (-want +got):\n%s", diff)
	}
}
