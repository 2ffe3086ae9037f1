// SPDX-License-Identifier: Apache-2.0

package realengine

import "testing"

// NotShort skips a test that needs a real engine or server if the tests are run
// with -short, as by `make test-quick`: without root, and without their programs.
func NotShort(tb any) {
	skipper, ok := tb.(interface{ Skip(args ...any) })
	if ok && testing.Testing() && testing.Short() {
		skipper.Skip("with -short nothing is run that needs root and programs of others")
	}
}
