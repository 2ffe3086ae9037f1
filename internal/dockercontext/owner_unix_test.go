// SPDX-License-Identifier: Apache-2.0

//go:build unix

package dockercontext

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOwnerIsKept: root that changes the configuration of another user's client leaves
// that user's files to the user.
func TestOwnerIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const uid, gid = 12345, 12346
	dir := t.TempDir()
	path := filepath.Join(dir, configName)
	if err := errors.Join(os.WriteFile(path, []byte(`{"auths": {}}`), 0o640), os.Chown(path, uid, gid), os.Chown(dir, uid, gid)); err != nil {
		t.Fatal(err)
	}
	c := open(dir)
	check := func() {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uid || stat.Gid != gid {
				t.Errorf("%s belongs to %d:%d", path, stat.Uid, stat.Gid)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.put(t.Context(), "rd", "", "tcp://h:1", tlsFiles{"ca.pem": []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if swapped, err := c.swap(t.Context(), "", "rd"); err != nil || !swapped {
		t.Fatal(swapped, err)
	}
	check()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if swapped, err := c.swap(t.Context(), "", "rd"); err != nil || !swapped {
		t.Fatal(swapped, err)
	}
	check()
}

// TestFilesOfContexts: the client's files are read if they are regular and of a size,
// and nothing waits for them.
func TestFilesOfContexts(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"large": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, maxFile+1))
		},
	} {
		for _, file := range []string{"metadata", "certificate"} {
			t.Run(name+" as "+file, func(t *testing.T) {
				c := open(t.TempDir())
				if err := c.put(t.Context(), "rd", "", "tcp://h:1", tlsFiles{"ca.pem": []byte("x")}); err != nil {
					t.Fatal(err)
				}
				stored := c.store.GetStorageInfo("rd")
				path := filepath.Join(stored.MetadataPath, "meta.json")
				if file == "certificate" {
					path = filepath.Join(stored.TLSPath, dockerEndpoint, "ca.pem")
				}
				if err := errors.Join(os.Remove(path), put(path)); err != nil {
					t.Fatal(err)
				}
				read := make(chan error, 1)
				go func() {
					_, err := c.get("rd")
					read <- err
				}()
				select {
				case err := <-read:
					if err == nil || !strings.Contains(err.Error(), path) {
						t.Errorf("%v; want an error that names %s", err, path)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the reading waits")
				}
				if !c.has("rd") {
					t.Error("the context is taken for absent")
				}
			})
		}
	}
}
