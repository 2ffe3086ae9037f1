// SPDX-License-Identifier: Apache-2.0

// Package owned opens, checks and removes directories that only this user controls.
// Each parent directory must belong to this user or root, and other users may not write
// it, unless it has the sticky bit, like /tmp; each link on the path must be this
// user's or root's. So no other user can replace a file after it was checked. The
// directory itself is not a link, is opened once, and is checked and changed through
// its descriptor.
//
// Windows has no such modes: see owner_windows.go for its checks.
package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	dirMode  = 0o700
	fileMode = 0o600

	// othersWrite are the write permissions of a file's group and of others.
	othersWrite = 0o022

	// removeTries is how often removing a directory is retried while another process
	// creates files in it.
	removeTries = 10
)

// Dir is an open directory, whose files are accessed through its descriptor.
type Dir struct {
	path string
	root *os.Root
}

// Open opens a directory that must be this user's own. If others may write it, it
// removes all their permissions. The error is [fs.ErrNotExist] for a missing directory,
// an [*Error] for an untrusted one.
func Open(path string) (*Dir, error) {
	parent, err := resolve(filepath.Dir(path), false)
	if err != nil {
		return nil, err
	}
	return open(path, filepath.Join(parent, filepath.Base(path)))
}

// Make is [Open], and creates missing directories. It removes all permissions of others
// from the directory.
func Make(path string) (*Dir, error) {
	parent, err := resolve(filepath.Dir(path), true)
	if err != nil {
		return nil, err
	}
	resolved := filepath.Join(parent, filepath.Base(path))
	if err := os.Mkdir(resolved, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	d, err := open(path, resolved)
	if err != nil {
		return nil, err
	}
	if err := d.restrict(".", dirMode); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// OpenShared opens a directory that the user chose, and others may use too: it may be a
// link, or root's, or have the sticky bit. [Dir.OpenFile] checks each of its files.
func OpenShared(path string) (*Dir, error) { return openShared(path, false) }

// MakeShared is [OpenShared], and creates a missing directory.
func MakeShared(path string) (*Dir, error) { return openShared(path, true) }

func openShared(path string, missing bool) (*Dir, error) {
	resolved, err := resolve(path, missing)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, err
	}
	return &Dir{path, root}, nil
}

// open opens the directory at resolved; path is its name in errors.
func open(path, resolved string) (*Dir, error) {
	named, err := os.Lstat(resolved)
	if err != nil {
		return nil, err
	}
	if err := checkOwnDir(path, named); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, err
	}
	d := &Dir{path, root}
	if err := d.checkOpened(named); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// checkOpened checks the opened directory, because its name may have been replaced.
func (d *Dir) checkOpened(named fs.FileInfo) error {
	info, err := d.root.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(named, info) {
		return &Error{Path: d.path, Why: "was replaced while it was opened", Remedy: "try again"}
	}
	if err := checkOwnDir(d.path, info); err != nil {
		return err
	}
	if !loose(info, ^fs.FileMode(othersWrite)) {
		return nil
	}
	return d.restrict(".", dirMode)
}

func checkOwnDir(path string, info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return linkError(path, info)
	case !info.IsDir():
		return &Error{Path: path, Why: "is not a directory", Remedy: "move it away"}
	}
	return checkOwner(path, path, info)
}

// Close closes the directory.
func (d *Dir) Close() { _ = d.root.Close() }

// Check checks the files in the directory whose names are wanted, or all if wanted is
// nil: each must be this user's own, not a link, without a second name, and of a type
// that does not block when opened.
func (d *Dir) Check(wanted func(name string) bool) error {
	return d.each(func(name string, info fs.FileInfo) error {
		if wanted != nil && !wanted(name) {
			return nil
		}
		return d.checkFile(name, info)
	})
}

// Tighten removes all permissions of others from the files in the directory.
func (d *Dir) Tighten() error {
	return d.each(func(name string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() || !loose(info, fileMode) {
			return nil
		}
		err := d.restrict(name, fileMode)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// each calls do for each file in the directory, skipping files that are removed
// concurrently.
func (d *Dir) each(do func(name string, info fs.FileInfo) error) error {
	names, err := d.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := d.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = do(name, info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Names returns the sorted names of the files in the directory.
func (d *Dir) Names() ([]string, error) {
	file, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	names, err := file.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (d *Dir) checkFile(name string, info fs.FileInfo) error {
	path := filepath.Join(d.path, name)
	if err := checkOwner(path, d.path, info); err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return linkError(path, info)
	case mode.IsDir(), mode&fs.ModeSocket != 0:
		return nil
	case !mode.IsRegular():
		return &Error{Path: path, Why: fmt.Sprintf("is not a regular file (mode %s)", mode), Remedy: "remove it"}
	case names(info) > 1:
		return &Error{Path: path, Why: "is a file with another name elsewhere (a hard link)", Remedy: "put a copy of it in its place, or remove it"}
	}
	return nil
}

// OpenFile opens a file of this user in the directory. The flags are those of
// [os.OpenFile]; with [os.O_TRUNC] it empties the file after the check. It does not
// block.
func (d *Dir) OpenFile(name string, flag int) (*os.File, error) {
	named, err := d.root.Lstat(name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err == nil {
		err = d.checkFile(name, named)
	} else if missing && flag&os.O_CREATE != 0 {
		flag, err = flag|os.O_EXCL, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := d.root.OpenFile(name, flag&^os.O_TRUNC|nonblock, fileMode)
	if err != nil || missing {
		return file, err
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(named, info) {
		err = &Error{Path: filepath.Join(d.path, name), Why: "was replaced while it was opened", Remedy: "try again"}
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = file.Truncate(0)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// Exists reports whether the directory has a file of that name, of any type.
func (d *Dir) Exists(name string) bool {
	_, err := d.root.Lstat(name)
	return err == nil
}

// Rename renames a file in the directory.
func (d *Dir) Rename(from, to string) error { return d.root.Rename(from, to) }

// Remove removes a file from the directory; for a link, the link.
func (d *Dir) Remove(name string) error { return d.root.Remove(name) }

// RemoveAll removes a directory of this user recursively. It follows no link, and
// refuses to remove a link, or another user's directory. The entry keep stays, and with
// it the directory; empty keeps nothing. A missing directory is not an error.
func RemoveAll(path, keep string) error {
	parent, err := resolve(filepath.Dir(path), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	above, err := os.OpenRoot(parent)
	if err != nil {
		return err
	}
	defer func() { _ = above.Close() }()
	name := filepath.Base(path)
	info, err := above.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = checkOwnDir(path, info)
	}
	if err != nil {
		return err
	}
	if keep != "" {
		return removeOthers(above, name, keep)
	}
	for range removeTries {
		if err = above.RemoveAll(name); err == nil {
			return nil
		}
	}
	return Explain(path, err)
}

// removeOthers removes the content of the named directory, except keep.
func removeOthers(above *os.Root, name, keep string) error {
	root, err := above.OpenRoot(name)
	if err != nil {
		return err
	}
	d := &Dir{root.Name(), root}
	defer d.Close()
	return d.each(func(name string, _ fs.FileInfo) error {
		if name == keep {
			return nil
		}
		return d.root.RemoveAll(name)
	})
}

// RemoveEmpty removes an empty directory. If it can't be removed, it stays.
func RemoveEmpty(path string) {
	parent, err := resolve(filepath.Dir(path), false)
	if err != nil {
		return
	}
	_ = os.Remove(filepath.Join(parent, filepath.Base(path)))
}
