// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execve

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := write("one/tool", 0o700), write("two/tool", 0o700)
	plain, other := write("one/plain", 0o600), write("two/plain", 0o700)
	only := write("one/only", 0o600)
	write("one/dir/file", 0o600)
	path := filepath.Join(root, "one") + ":" + filepath.Join(root, "two")
	for _, test := range []struct {
		name, path string
		want       string
		code       int
	}{
		{name: "tool", path: path, want: first},
		{name: "tool", path: filepath.Join(root, "two"), want: second},
		{name: second, path: path, want: second},
		{name: "plain", path: path, want: other}, // the next executable one
		{name: "nothing", path: path, code: ExitNotFound},
		{name: "tool", path: "", code: ExitNotFound},
		{name: filepath.Join(root, "nothing"), path: path, code: ExitNotFound},
		{name: "only", path: path, code: ExitNotExecutable},
		{name: plain, path: path, code: ExitNotExecutable},
		{name: only, path: path, code: ExitNotExecutable},
		{name: filepath.Join(root, "one/dir"), path: path, code: ExitNotExecutable},
		{name: "dir", path: path, code: ExitNotFound},
	} {
		got, err := Find(test.name, test.path)
		var failure *Error
		switch {
		case test.code == 0 && (err != nil || got != test.want):
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, test.want)
		case test.code != 0 && (!errors.As(err, &failure) || failure.Code != test.code):
			t.Errorf("%s: %q, %v, want exit code %d", test.name, got, err, test.code)
		}
	}
}

// TestFindHere: an empty directory in PATH is the working directory, as in POSIX.
func TestFindHere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("tool", nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Find("tool", "/nowhere:"); err != nil || got != "./tool" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEnvironment(t *testing.T) {
	got := Environment([]string{"A=1", "B=2", "C=3=4", "A=5"}, map[string]string{"A": "", "B": "6", "D": "7", "E": ""})
	slices.Sort(got)
	if want := []string{"B=6", "C=3=4", "D=7"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := PrependPath("/a", "/b:/c"); got != "/a:/b:/c" {
		t.Error(got)
	}
	if got := PrependPath("/a", ""); got != "/a" {
		t.Error(got)
	}
}
