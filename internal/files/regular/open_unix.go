// SPDX-License-Identifier: Apache-2.0

//go:build unix

package regular

import (
	"os"
	"syscall"
)

// open does not block on a named pipe or a terminal.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}
