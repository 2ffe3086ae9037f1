// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange exchanges two files in one step (renameat2(2)).
func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errNoExchange
	}
	return err
}
