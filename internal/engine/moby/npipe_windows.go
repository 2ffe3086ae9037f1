// SPDX-License-Identifier: Apache-2.0

package moby

import "golang.org/x/sys/windows"

// errRefused is what a connection fails with where nothing listens.
const errRefused = windows.WSAECONNREFUSED

// namedPipes returns why there are no named pipes, nil where there are.
func namedPipes() error { return nil }
