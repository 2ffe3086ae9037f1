// SPDX-License-Identifier: Apache-2.0

//go:build unix

package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupWrites is the mode of files that members of their group may write, which
// a connection to a socket takes (unix(7)).
const groupWrites = 0o020

func groupOf(file fs.FileInfo) string {
	owner, ok := file.Sys().(*syscall.Stat_t)
	if !ok || file.Mode()&groupWrites == 0 || owner.Gid == 0 {
		return ""
	}
	return groupName(owner.Gid)
}

// Refusal says why a file can't be opened, and which group to join where that
// would help.
func Refusal(file fs.FileInfo, err error) string {
	owner, ok := file.Sys().(*syscall.Stat_t)
	if !ok || !errors.Is(err, fs.ErrPermission) {
		return err.Error()
	}
	if file.Mode()&groupWrites == 0 {
		return fmt.Sprintf("%v: it is for %s only", err, userName(owner.Uid))
	}
	return fmt.Sprintf("%v: it is for the group %s: join that group and log in again", err, groupName(owner.Gid))
}

func userName(id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	if owner, err := user.LookupId(number); err == nil {
		return owner.Username
	}
	return "user " + number
}

func groupName(id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	if group, err := user.LookupGroupId(number); err == nil {
		return group.Name
	}
	return number
}

// denied reports whether a connection, which takes the right to write, is refused, or
// already the way to the socket.
func denied(path string) bool {
	return errors.Is(unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS), fs.ErrPermission)
}
