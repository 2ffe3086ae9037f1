// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execve

import "syscall"

// Exec replaces this process by the program at a path. It returns only if that
// fails, with an [*Error].
func Exec(path string, args, environ []string) (exitCode int, err error) {
	return 0, failed(path, syscall.Exec(path, args, environ)) //nolint:gosec // what the user asked for
}
