// SPDX-License-Identifier: Apache-2.0

//go:build unix

package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// CheckHome checks that a home directory is this user's: files that root creates in
// another user's home directory, as after `sudo -E`, would block that user.
func CheckHome(home string) error {
	self := os.Geteuid()
	info, err := os.Stat(home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Path: home, Why: "is the home directory (HOME) and does not exist", Remedy: "set HOME to a directory of " + userName(self)}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Path: home, Why: "is the home directory (HOME), which " + userName(self) + " may not enter", Remedy: "set HOME to a directory of " + userName(self)}
	case err != nil:
		return fmt.Errorf("read the home directory (HOME): %w", err)
	case !info.IsDir():
		return &Error{Path: home, Why: "is the home directory (HOME) and not a directory", Remedy: "set HOME to a directory of " + userName(self)}
	}
	owner, _ := ownerOf(info)
	if owner == self {
		return nil
	}
	remedy := "set HOME to a directory of " + userName(self)
	switch {
	case self == 0:
		remedy = fmt.Sprintf("run rdd without sudo to use it as %s, or with `sudo -H` for an instance of root's own", userName(owner))
	case owner == 0:
		remedy += fmt.Sprintf("; or, if the directory is theirs, run `sudo chown %d:%d %q`", self, os.Getegid(), home)
	}
	return &Error{
		Path:   home,
		Why:    fmt.Sprintf("is the home directory (HOME), belongs to %s (mode %s), and rdd runs as %s", userName(owner), info.Mode(), userName(self)),
		Remedy: remedy,
	}
}
