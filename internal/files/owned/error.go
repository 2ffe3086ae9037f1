// SPDX-License-Identifier: Apache-2.0

package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Error is the error for an untrusted file or directory.
type Error struct {
	Path string
	// Why continues a sentence that starts with the path; Remedy is what to do.
	Why, Remedy string
}

// Error names the path, its owner and mode, and the remedy.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %s", e.Path, e.Why, e.Remedy) }

// linkError rejects a link in place of a file or directory.
func linkError(path string, info fs.FileInfo) error {
	target, _ := os.Readlink(path)
	return &Error{
		Path:   path,
		Why:    fmt.Sprintf("is a link to %q (owner %s), which rdd does not follow", target, describe(info)),
		Remedy: "replace the link by its target, or remove it",
	}
}

// userName returns the name and number of a user.
func userName(uid int) string {
	if uid == 0 {
		return "root"
	}
	number := strconv.Itoa(uid)
	if known, err := user.LookupId(number); err == nil {
		return fmt.Sprintf("%s (uid %s)", known.Username, number)
	}
	return "uid " + number
}

// notOurs is the error for another user's file or directory. within is the directory to
// change the owner of, if it is root's.
func notOurs(path, within string, mode fs.FileMode, owner int) error {
	self := os.Geteuid()
	if owner == 0 {
		return &Error{
			Path:   path,
			Why:    fmt.Sprintf("belongs to root (mode %s), as after a start with sudo, and rdd runs as %s", mode, userName(self)),
			Remedy: fmt.Sprintf("run `sudo chown -R %d:%d %q`", self, os.Getegid(), within),
		}
	}
	remedy := "remove it, or use a directory of your own (XDG_DATA_HOME, XDG_STATE_HOME, HOME)"
	if self == 0 {
		remedy = fmt.Sprintf("run rdd as that user, without sudo; or %s", remedy)
	}
	return &Error{
		Path:   path,
		Why:    fmt.Sprintf("belongs to %s (mode %s), and rdd runs as %s, which must own it", userName(owner), mode, userName(self)),
		Remedy: remedy,
	}
}

// Explain extends a permission error below the user's home directory with the owner of
// the file at path, or of its directory, and the remedy.
func Explain(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	var failed *fs.PathError
	if errors.As(err, &failed) && filepath.IsAbs(failed.Path) {
		path = failed.Path
	}
	home, homeErr := os.UserHomeDir()
	for homeErr == nil && strings.HasPrefix(path, home+string(filepath.Separator)) {
		info, statErr := os.Lstat(path)
		if statErr == nil {
			if why := checkOwner(path, path, info); why != nil {
				return fmt.Errorf("%w: %w", err, why)
			}
			if info.IsDir() {
				break
			}
		}
		path = filepath.Dir(path)
	}
	return err
}
