// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

const (
	newFileMode = 0o600 // as the client creates it
	writable    = 0o200
)

// errNoExchange is the error of a file system that can't exchange two files.
var errNoExchange = errors.ErrUnsupported

// replaceFile replaces a file with the content before (nil: no file) by one with the
// content after, and keeps its mode and owner; if path is a link, it replaces the
// target. The error is [errChanged] if another program has written the file since;
// that content is kept. ready is called when the new file is complete; nil for nothing.
//
// A file that is a mount point is not replaced ([atomicfile.ErrMounted]), nor written
// in place: Docker's client does not either, a reader could see half of it, and the
// system that shares it does not have RDD's context.
func replaceFile(path string, before, after []byte, ready func()) error {
	path, mode, err := target(path)
	if err != nil {
		return err
	}
	err = exchangeFile(path, mode, before, after, ready)
	if errors.Is(err, errChanged) {
		return err
	}
	return atomicfile.Named(path, err)
}

// exchangeFile is replaceFile for a path that is not a link.
func exchangeFile(path string, mode fs.FileMode, before, after []byte, ready func()) error {
	tmp, err := writeBeside(path, after, mode)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	if now, err := readFile(path); err != nil || !equal(now, before) {
		return errors.Join(err, errChanged)
	}
	call(ready)
	if before == nil {
		return putNew(tmp, path)
	}
	err = exchange(tmp, path)
	if errors.Is(err, errNoExchange) {
		return os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	// The temporary file now has the replaced content.
	if replaced, err := readFile(tmp); err == nil && equal(replaced, before) {
		return nil
	}
	return putBack(tmp, path, after)
}

// putNew gives a file its final name, unless another file has it.
func putNew(tmp, path string) error {
	err := os.Link(tmp, path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return errChanged
	case err != nil: // a file system without links
		return os.Rename(tmp, path)
	}
	return nil
}

// putBack reverts an exchange that replaced the file of another program.
func putBack(tmp, path string, ours []byte) error {
	if err := exchange(tmp, path); err != nil {
		return err
	}
	// The write of a program between the two exchanges is the newest.
	if replaced, err := readFile(tmp); err == nil && !equal(replaced, ours) {
		if err := exchange(tmp, path); err != nil {
			return err
		}
	}
	return errChanged
}

// target returns the file that a path resolves to, and its current or future mode.
func target(path string) (string, fs.FileMode, error) {
	resolved, err := follow(path)
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(resolved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return resolved, newFileMode, nil
	case err != nil:
		return "", 0, err
	case info.Mode().Perm()&writable == 0: // root could write it nevertheless
		return "", 0, fmt.Errorf("%w: it is read-only", fs.ErrPermission)
	}
	return resolved, info.Mode().Perm(), nil
}

// maxLinks is how long a chain of links may be, as in Linux (path_resolution(7)).
const maxLinks = 40

// follow returns the file that opening path would open or create: the target of a
// chain of links may not exist, but its directory must.
func follow(path string) (string, error) {
	at := path
	for range maxLinks {
		dir, name := filepath.Split(at) // does not clean the path, as in link/..
		dir, err := filepath.EvalSymlinks(cmp.Or(dir, "."))
		if errors.Is(err, fs.ErrNotExist) && at != path {
			return "", fmt.Errorf("it is a link to %s: %w", at, err)
		}
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, name)
		link, notLink := os.Readlink(file)
		switch {
		case notLink != nil && at != path && (name == "" || name == "." || name == ".."):
			return "", fmt.Errorf("it is a link to %s, which is not a file", at)
		case notLink != nil: // or the file does not exist
			return file, nil //nolint:nilerr // it is not a link but the file itself
		case filepath.IsAbs(link):
			at = link
		default:
			at = dir + string(filepath.Separator) + link // not cleaned: see above
		}
	}
	return "", fmt.Errorf("it is a link to a link, and so on, more than %d times", maxLinks)
}

// writeBeside writes a temporary file into the directory of path, if permitted with
// the owner of the existing file or of the directory. It is synced to disk.
func writeBeside(path string, data []byte, mode fs.FileMode) (_ string, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, tmp.Close()); err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return "", err
	}
	if err = tmp.Chmod(mode); err != nil {
		return "", err
	}
	owned.GiveAs(tmp, path)
	return tmp.Name(), tmp.Sync()
}

// readFile returns nil for a file that does not exist.
func readFile(path string) ([]byte, error) {
	data, err := regular.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && data == nil {
		data = []byte{}
	}
	return data, err
}

// equal compares contents; an empty file is not equal to none.
func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
