// SPDX-License-Identifier: Apache-2.0

// Package access explains why the user may not use a file, and which group to join, if
// that helps.
package access

import "os"

// Group returns the group whose members may use the socket or device at path: empty if
// there is none, or if it is the administrators' group, which users don't join.
func Group(path string) string {
	file, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return groupOf(file)
}

// Denied reports whether path, which may be empty, is an existing socket that the user
// may not connect to. It does not connect, because that could start an engine.
func Denied(path string) bool { return path != "" && denied(path) }
