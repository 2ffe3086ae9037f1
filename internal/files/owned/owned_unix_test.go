// SPDX-License-Identifier: Apache-2.0

//go:build unix

package owned

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

// other is a user who has nothing else on the machine.
const other = 12345

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of other users")
	}
}

// plant creates a directory with a mode, regardless of the umask.
func plant(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(path, 0o700), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// TestParents: no other user can replace a checked directory.
func TestParents(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, base string)
		says    string // empty: it is trusted
	}{
		"own":             {func(t *testing.T, base string) { plant(t, base, 0o755) }, ""},
		"missing":         {func(*testing.T, string) {}, ""},
		"sticky, as /tmp": {func(t *testing.T, base string) { plant(t, base, 0o777|fs.ModeSticky) }, ""},
		"written by group": {func(t *testing.T, base string) {
			needRoot(t) // another user's group may be private
			plant(t, base, 0o775)
		}, "can be written by other users"},
		"written by all": {func(t *testing.T, base string) { plant(t, base, 0o777) }, "`chmod go-w"},
		"further up": {func(t *testing.T, base string) {
			plant(t, base, 0o755)
			plant(t, filepath.Dir(base), 0o777)
		}, "can be written by other users"},
		"own link": {func(t *testing.T, base string) {
			disk := t.TempDir()
			if err := os.Symlink(disk, base); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"own link, upwards": {func(t *testing.T, base string) {
			plant(t, filepath.Join(filepath.Dir(base), "disk"), 0o700)
			if err := os.Symlink("../parent/./disk", base); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"own link to where others write": {func(t *testing.T, base string) {
			disk := t.TempDir()
			plant(t, disk, 0o777)
			if err := os.Symlink(disk, base); err != nil {
				t.Fatal(err)
			}
		}, "can be written by other users"},
		"a loop": {func(t *testing.T, base string) {
			if err := os.Symlink(base, base); err != nil {
				t.Fatal(err)
			}
		}, "too many levels"},
		"another's": {func(t *testing.T, base string) {
			needRoot(t)
			plant(t, base, 0o755)
			if err := os.Chown(base, other, other); err != nil {
				t.Fatal(err)
			}
		}, "belongs to uid 12345 (mode drwxr-xr-x)"},
		"another's link": {func(t *testing.T, base string) {
			needRoot(t)
			if err := errors.Join(os.Symlink(t.TempDir(), base), os.Lchown(base, other, other)); err != nil {
				t.Fatal(err)
			}
		}, "is a link that belongs to uid 12345"},
	} {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join(t.TempDir(), "parent", "base")
			plant(t, filepath.Dir(base), 0o755)
			test.prepare(t, base)
			path := filepath.Join(base, "mine")
			d, err := Make(path)
			if err == nil {
				defer d.Close()
			}
			check(t, err, test.says)
			if test.says == "" {
				info, err := os.Stat(path)
				if err != nil || info.Mode().Perm() != dirMode {
					t.Errorf("made: %v, %v", info, err)
				}
			}
			_, err = OpenShared(base)
			check(t, err, test.says)
			check(t, RemoveAll(path, ""), test.says)
		})
	}
}

func check(t *testing.T, err error, says string) {
	t.Helper()
	if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
		t.Errorf("%v; want %q", err, says)
	}
}

// TestUnmountedDisk: the missing target of a link is an unmounted disk, in whose place
// nothing is created.
func TestUnmountedDisk(t *testing.T) {
	home := t.TempDir()
	disk := filepath.Join(home, "disk")
	if err := os.Symlink(filepath.Join(disk, "local"), filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(filepath.Join(home, "link", "share", "mine")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want that it does not exist", err)
	}
	if _, err := os.Lstat(disk); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the disk's place: %v", err)
	}
}

// TestAnothersDirectory: another user's directory is neither used nor removed.
func TestAnothersDirectory(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "mine")
	plant(t, path, 0o700)
	if err := os.Chown(path, other, other); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Open": second(Open(path)), "Make": second(Make(path)), "RemoveAll": RemoveAll(path, ""), "RemoveAll but": RemoveAll(path, "x"),
	} {
		check(t, err, path+" belongs to uid 12345 (mode drwx------), and rdd runs as root")
		if what == "" || err == nil {
			t.Error(what)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func second(_ *Dir, err error) error { return err }

// TestFiles: a file that others may have created is not opened, and opening does not
// block.
func TestFiles(t *testing.T) {
	for name, test := range map[string]struct {
		put  func(path, elsewhere string) error
		says string
	}{
		"own":       {func(path, _ string) error { return os.WriteFile(path, []byte("old"), 0o600) }, ""},
		"missing":   {func(string, string) error { return nil }, ""},
		"link":      {func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "is a link to"},
		"hard link": {func(path, elsewhere string) error { return os.Link(elsewhere, path) }, "hard link"},
		"pipe":      {func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }, "is not a regular file"},
		"another's": {func(path, _ string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, other, other))
		}, "belongs to uid 12345"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another's" {
				needRoot(t)
			}
			path, elsewhere := filepath.Join(t.TempDir(), "d", "file"), filepath.Join(t.TempDir(), "precious")
			d, err := Make(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := errors.Join(os.WriteFile(elsewhere, []byte("precious"), 0o644), test.put(path, elsewhere)); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			check(t, d.Check(nil), test.says)
			file, err := d.OpenFile("file", os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
			check(t, err, test.says)
			if err == nil {
				_ = file.Close()
				if info, err := os.Stat(path); err != nil || info.Size() != 0 || info.Mode().Perm() != fileMode {
					t.Errorf("opened: %v, %v", info, err)
				}
			}
			if time.Since(began) > 10*time.Second {
				t.Error("the opening waited")
			}
			if content, err := os.ReadFile(elsewhere); err != nil || string(content) != "precious" {
				t.Errorf("elsewhere there is %q, %v", content, err)
			}
			check(t, d.Check(func(name string) bool { return name != "file" }), "")
		})
	}
}

// TestLooseModes: permissive modes of an own directory are corrected, but not of a
// link's target.
func TestLooseModes(t *testing.T) {
	path, elsewhere := filepath.Join(t.TempDir(), "mine"), filepath.Join(t.TempDir(), "precious")
	plant(t, path, 0o777)
	if err := errors.Join(os.WriteFile(filepath.Join(path, "key"), nil, 0o600), os.Chmod(filepath.Join(path, "key"), 0o666),
		os.WriteFile(elsewhere, nil, 0o600), os.Chmod(elsewhere, 0o644), os.Symlink(elsewhere, filepath.Join(path, "link"))); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Tighten(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{path: 0o700, filepath.Join(path, "key"): 0o600, elsewhere: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want the mode %o", path, info, err, want)
		}
	}
}

// TestRemoveAll follows no link, and keeps the given entry.
func TestRemoveAll(t *testing.T) {
	path, elsewhere := filepath.Join(t.TempDir(), "mine"), t.TempDir()
	precious := filepath.Join(elsewhere, "precious")
	if err := errors.Join(os.MkdirAll(filepath.Join(path, "a", "b"), 0o700), os.Mkdir(filepath.Join(path, "logs"), 0o700),
		os.WriteFile(precious, nil, 0o600), os.Symlink(elsewhere, filepath.Join(path, "link")),
		os.Symlink(elsewhere, filepath.Join(path, "a", "link"))); err != nil {
		t.Fatal(err)
	}
	if err := RemoveAll(path, "logs"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(path); err != nil || len(left) != 1 || left[0].Name() != "logs" {
		t.Errorf("left are %v, %v", left, err)
	}
	if err := errors.Join(RemoveAll(path, ""), RemoveAll(path, "")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

// TestExplain names the owner of an unreadable file, if that is the reason.
func TestExplain(t *testing.T) {
	needRoot(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	denied := &fs.PathError{Op: "open", Path: filepath.Join(home, "dir", "file"), Err: fs.ErrPermission}
	plant(t, filepath.Join(home, "dir"), 0o700)
	if err := Explain(denied.Path, denied); err.Error() != denied.Error() {
		t.Errorf("of an own directory: %v", err)
	}
	if err := os.Chown(filepath.Join(home, "dir"), other, other); err != nil {
		t.Fatal(err)
	}
	err := Explain(denied.Path, denied)
	check(t, err, filepath.Join(home, "dir")+" belongs to uid 12345")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is no error of permission", err)
	}
}
