// SPDX-License-Identifier: Apache-2.0

package owned

import "os"

// GiveAs does nothing on Windows, where a new file inherits its directory's
// permissions.
func GiveAs(*os.File, string) {}

// GiveAsBeside does nothing on Windows, as [GiveAs].
func GiveAsBeside(string, ...string) error { return nil }
