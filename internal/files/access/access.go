// SPDX-License-Identifier: Apache-2.0

// Package access explains why the user may not use a file, and which group to join, if
// that helps.
package access

import (
	"os"
	"strings"
)

// SocketPath returns the path of an endpoint's socket, empty if it is not a socket of
// this machine.
func SocketPath(endpoint string) string {
	path, ok := strings.CutPrefix(endpoint, "unix://")
	if !ok {
		return ""
	}
	return path
}

// Group returns the group whose members may use the socket or device at path: empty if
// there is none, or if it is the administrators' group, which users don't join.
func Group(path string) string {
	file, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return groupOf(file)
}

// Denied reports whether an endpoint is an existing socket of this machine that the
// user may not connect to. It does not connect, because that could start an engine.
func Denied(endpoint string) bool {
	path := SocketPath(endpoint)
	return path != "" && denied(path)
}
