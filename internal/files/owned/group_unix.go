// SPDX-License-Identifier: Apache-2.0

//go:build unix

package owned

import (
	"bufio"
	"os"
	"os/user"
	"strconv"
	"strings"
)

const groupWrite = 0o020

// private reports whether a group is this user's alone: it has the user's name, is the
// user's primary group, and has no other members. On systems with such groups, users'
// programs often create directories that the group may write.
func private(gid int) bool {
	self := os.Geteuid()
	if self == 0 || gid != os.Getegid() {
		return false
	}
	owner, err := user.LookupId(strconv.Itoa(self))
	if err != nil || owner.Gid != strconv.Itoa(gid) {
		return false
	}
	file, err := os.Open("/etc/group")
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	// group(5): name:password:number:members
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) == 4 && fields[2] == owner.Gid {
			return fields[0] == owner.Username && (fields[3] == "" || fields[3] == owner.Username)
		}
	}
	return false
}
