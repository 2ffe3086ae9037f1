// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package moby

import (
	"errors"
	"syscall"
)

// errRefused is what a connection fails with where nothing listens.
const errRefused = syscall.ECONNREFUSED

// namedPipes returns why there are no named pipes, nil where there are.
func namedPipes() error {
	return errors.New("named pipes (npipe://) exist on Windows only; on this system use unix:///path")
}
