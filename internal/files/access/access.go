// SPDX-License-Identifier: Apache-2.0

// Package access says why the user may not use a file, and which group to join
// where that would help.
package access

import "os"

// Group returns the group whose members may use the socket or device at path,
// because they are its members: empty where there is none, or where it is the
// administrators' own, which users don't join.
func Group(path string) string {
	file, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return groupOf(file)
}

// Denied reports whether at path, which may be empty, is a socket that the user may not
// connect to. It does not connect: that could start an engine.
func Denied(path string) bool { return path != "" && denied(path) }
