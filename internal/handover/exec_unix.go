// SPDX-License-Identifier: Apache-2.0

//go:build unix

package handover

import "syscall"

// To replaces this process by the program at a path. It returns only if that
// fails, with an [*Error].
func To(path string, args, environ []string) (exitCode int, err error) {
	return 0, failed(path, syscall.Exec(path, args, environ)) //nolint:gosec // what the user asked for
}
