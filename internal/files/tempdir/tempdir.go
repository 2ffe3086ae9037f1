// SPDX-License-Identifier: Apache-2.0

// Package tempdir creates temporary directories with a lock that lasts as long as their
// process. So the directories of killed processes can be distinguished from those in
// use, and be removed.
package tempdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/owned"
)

const (
	lockName = ".rdd.lock"

	// attempts is how often New retries if a sweep removes the new directory before it
	// is locked.
	attempts = 10

	// abandoned is the age at which a directory without a lock is removed: its process
	// was killed before it locked it, or had a version without locks.
	abandoned = 24 * time.Hour
)

// errSwept is the error if a sweep removed the directory first.
var errSwept = errors.New("the directory was removed before it was locked")

// Dir is a temporary directory that only this user may enter.
type Dir struct {
	Path string
	lock *flock.Flock
}

// New creates a directory whose name starts with the prefix. It first removes the
// directories with the prefix of processes that have ended.
func New(prefix string) (*Dir, error) {
	parent := os.TempDir()
	if err := check(parent); err != nil {
		return nil, err
	}
	sweep(parent, prefix)
	var err error
	for range attempts {
		var d *Dir
		if d, err = try(parent, prefix); err == nil || !errors.Is(err, errSwept) {
			return d, err
		}
	}
	return nil, fmt.Errorf("create a temporary directory: %w", err)
}

// check rejects a parent in which other users could replace the directory.
func check(parent string) error {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return err
	}
	d, err := owned.OpenShared(parent)
	if err != nil {
		return fmt.Errorf("create a temporary directory: %w", err)
	}
	d.Close()
	return nil
}

func try(parent, prefix string) (*Dir, error) {
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, lock: flock.New(filepath.Join(path, lockName))}
	locked, err := d.lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!locked || !d.isLock()) {
		err = errSwept
	}
	if err != nil {
		d.Remove()
		return nil, err
	}
	return d, nil
}

// isLock reports whether the locked file still has its name.
func (d *Dir) isLock() bool {
	held, heldErr := d.lock.Stat()
	named, namedErr := os.Lstat(filepath.Join(d.Path, lockName))
	return heldErr == nil && namedErr == nil && os.SameFile(held, named)
}

// Remove removes the directory and all that is in it.
func (d *Dir) Remove() {
	removed := os.RemoveAll(d.Path) // Windows can't remove an open file
	_ = d.lock.Unlock()
	if removed != nil {
		_ = os.RemoveAll(d.Path)
	}
}

// Sweep removes the directories with the prefix that this user's killed processes have
// left. It keeps directories that it can't identify.
func Sweep(prefix string) {
	if parent := os.TempDir(); check(parent) == nil {
		sweep(parent, prefix)
	}
}

func sweep(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) && entry.IsDir() {
			sweepOne(filepath.Join(parent, entry.Name()))
		}
	}
}

func sweepOne(path string) {
	d, err := owned.Open(path)
	if err != nil {
		return // another user's
	}
	defer d.Close()
	if !d.Exists(lockName) {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = owned.RemoveAll(path, "")
		}
		return
	}
	lock := flock.New(filepath.Join(path, lockName), flock.SetFlag(os.O_RDONLY))
	if free, err := lock.TryLock(); err != nil || !free {
		return
	}
	removed := owned.RemoveAll(path, "")
	_ = lock.Unlock()
	if removed != nil { // on Windows
		_ = owned.RemoveAll(path, "")
	}
}
