// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execve

import "syscall"

// Exec replaces this process with the program at path. It returns only on failure,
// with an [*Error].
func Exec(path string, args, environ []string) (exitCode int, err error) {
	return 0, failed(path, syscall.Exec(path, args, environ)) //nolint:gosec // the user chose the program
}
