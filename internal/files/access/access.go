// SPDX-License-Identifier: Apache-2.0

// Package access says why the user may not use a file, and which group to join
// where that would help.
package access

import (
	"os"
	"strings"
)

// SocketPath returns the path of the socket that an endpoint names, empty where
// it is no socket of this machine.
func SocketPath(endpoint string) string {
	path, ok := strings.CutPrefix(endpoint, "unix://")
	if !ok {
		return ""
	}
	return path
}

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

// Denied reports whether an endpoint is a socket of this machine that is there and
// that the user may not connect to. It does not connect: that could start an engine.
func Denied(endpoint string) bool {
	path := SocketPath(endpoint)
	return path != "" && denied(path)
}
