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

// groupWrites is the mode of files that members of their group may write, as connecting
// to a socket requires (unix(7)).
const groupWrites = 0o020

func groupOf(file fs.FileInfo) string {
	owner, ok := file.Sys().(*syscall.Stat_t)
	if !ok || file.Mode()&groupWrites == 0 || owner.Gid == 0 {
		return ""
	}
	return groupName(owner.Gid)
}

// Refusal returns why a file can't be opened, and which group to join, if that helps.
func Refusal(file fs.FileInfo, err error) string {
	owner, ok := file.Sys().(*syscall.Stat_t)
	if !ok || !errors.Is(err, fs.ErrPermission) {
		return err.Error()
	}
	if file.Mode()&groupWrites == 0 {
		return fmt.Sprintf("%v: only %s has access", err, userName(owner.Uid))
	}
	return fmt.Sprintf("%v: only the group %s has access: join the group and log in again", err, groupName(owner.Gid))
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

// denied reports whether the user lacks write permission, which a connection requires,
// or may not enter the socket's directory.
func denied(path string) bool {
	return errors.Is(unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS), fs.ErrPermission)
}
