// SPDX-License-Identifier: Apache-2.0

//go:build unix

package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// nonblock keeps opening a named pipe or a device from blocking.
	nonblock = syscall.O_NONBLOCK | syscall.O_NOCTTY

	// mostLinks is how many links a path may contain, as on Linux.
	mostLinks = 40
)

func ownerOf(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}

// names returns the number of a file's hard links.
func names(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink) //nolint:unconvert // its type is not the same on all systems
	}
	return 1
}

func describe(info fs.FileInfo) string {
	uid, _ := ownerOf(info)
	return userName(uid)
}

// loose reports whether info has permissions that are not in mode.
func loose(info fs.FileInfo, mode fs.FileMode) bool { return info.Mode().Perm()&^mode != 0 }

// restrict removes the permissions that are not in mode.
func (d *Dir) restrict(name string, mode fs.FileMode) error {
	info, err := d.root.Lstat(name)
	if err != nil || !loose(info, mode) {
		return err
	}
	return d.root.Chmod(name, info.Mode().Perm()&mode)
}

// checkOwner checks that a file or directory is this user's own. within is the
// directory for the advised chown.
func checkOwner(path, within string, info fs.FileInfo) error {
	if uid, _ := ownerOf(info); uid != os.Geteuid() {
		return notOurs(path, within, info.Mode(), uid)
	}
	return nil
}

// resolve returns the target of a path, without links, and checks each directory and
// link on the path. If missing is true it creates missing directories, but not the
// target of a link: that is an unmounted disk.
func resolve(path string, missing bool) (string, error) {
	w := walk{at: "/", pending: parts(path), missing: missing}
	info, err := os.Lstat(w.at)
	if err == nil {
		err = checkParent(w.at, info)
	}
	if err != nil {
		return "", err
	}
	for len(w.pending) > 0 {
		if err := w.step(); err != nil {
			return "", err
		}
	}
	return w.at, nil
}

func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

// walk follows a path, from one directory to the next.
type walk struct {
	at      string   // has no link in it
	pending []string // the names that follow
	missing bool     // whether to create missing directories
	links   int
	linked  int // number of names in pending that are from links
}

func (w *walk) step() error {
	name := w.pending[0]
	w.pending = w.pending[1:]
	fromLink := w.linked > 0
	w.linked = max(0, w.linked-1)
	if name == "." {
		return nil
	}
	next := filepath.Join(w.at, name) // also of "..", as at has no link in it
	info, err := os.Lstat(next)
	if errors.Is(err, fs.ErrNotExist) && w.missing && !fromLink {
		if err = os.Mkdir(next, dirMode); err == nil || errors.Is(err, fs.ErrExist) {
			info, err = os.Lstat(next)
		}
	}
	if err != nil {
		return Explain(next, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return w.follow(next, info)
	}
	w.at = next
	return checkParent(next, info)
}

func (w *walk) follow(link string, info fs.FileInfo) error {
	if uid, _ := ownerOf(info); !trusted(uid) {
		return &Error{
			Path:   link,
			Why:    fmt.Sprintf("is a link that belongs to %s, who can change its target", userName(uid)),
			Remedy: "remove it, or use a directory of your own (XDG_DATA_HOME, XDG_STATE_HOME, HOME)",
		}
	}
	if w.links++; w.links > mostLinks {
		return &fs.PathError{Op: "follow", Path: link, Err: syscall.ELOOP}
	}
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) {
		w.at = "/"
	}
	more := parts(target)
	w.linked += len(more)
	w.pending = append(more, w.pending...)
	return nil
}

// trusted reports whether a user has all of this user's rights here.
func trusted(uid int) bool { return uid == os.Geteuid() || uid == 0 || uid == hiddenRoot() }

// checkParent checks that others can't replace a directory's entries.
func checkParent(path string, info fs.FileInfo) error {
	uid, gid := ownerOf(info)
	if !trusted(uid) {
		return &Error{
			Path:   path,
			Why:    fmt.Sprintf("belongs to %s (mode %s), who can replace what is in it, and rdd runs as %s", userName(uid), info.Mode(), userName(os.Geteuid())),
			Remedy: "run rdd as that user, or use a directory of your own (XDG_DATA_HOME, XDG_STATE_HOME, HOME)",
		}
	}
	writers := info.Mode().Perm() & othersWrite
	if writers == 0 || info.Mode()&fs.ModeSticky != 0 || writers == groupWrite && private(gid) {
		return nil
	}
	return &Error{
		Path:   path,
		Why:    fmt.Sprintf("(owner %s, mode %s) can be written by other users, who can replace what is in it", userName(uid), info.Mode()),
		Remedy: fmt.Sprintf("`chmod go-w %q`, or use a directory of your own (XDG_DATA_HOME, XDG_STATE_HOME, HOME)", path),
	}
}
