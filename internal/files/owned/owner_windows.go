// SPDX-License-Identifier: Apache-2.0

package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// nonblock is not needed on Windows, which has no named pipes among its files.
const nonblock = 0

// names is unknown on Windows: Go does not read it.
func names(fs.FileInfo) uint64 { return 1 }

func describe(fs.FileInfo) string { return "unknown" }

// loose: Windows has no such permissions. The user's profile, the default place of the
// directories, excludes other users.
func loose(fs.FileInfo, fs.FileMode) bool { return false }

func (d *Dir) restrict(string, fs.FileMode) error { return nil }

// checkOwner checks that a file or directory belongs to this user, to the
// administrators, like the files of an elevated process, or to the system. It checks
// neither write permissions nor parent directories.
func checkOwner(path, _ string, _ fs.FileInfo) error {
	described, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) {
		return nil // it was removed, or the file system has no owners
	}
	if err != nil {
		return fmt.Errorf("read the owner of %s: %w", path, err)
	}
	owner, _, err := described.Owner()
	if err != nil {
		return fmt.Errorf("read the owner of %s: %w", path, err)
	}
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("read this user's identity: %w", err)
	}
	if owner.Equals(self.User.Sid) || owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) || owner.IsWellKnown(windows.WinLocalSystemSid) {
		return nil
	}
	return &Error{Path: path, Why: fmt.Sprintf("belongs to another user (%s)", owner), Remedy: "remove it, or use a directory of your own (LOCALAPPDATA)"}
}

// resolve returns the path, and creates missing directories if missing is true. It does
// not check the parent directories.
func resolve(path string, missing bool) (string, error) {
	if missing {
		if err := os.MkdirAll(path, dirMode); err != nil {
			return "", err
		}
	}
	return filepath.EvalSymlinks(path)
}
