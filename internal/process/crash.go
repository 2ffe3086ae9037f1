// SPDX-License-Identifier: Apache-2.0

package process

import "regexp"

// crashRE matches the first line of the Go runtime's report of a crash.
var crashRE = regexp.MustCompile(`(?m)^(?:panic|fatal error|SIG[A-Z]+): .*$`)

// CrashReason returns why a Go program with this output crashed: the line before the
// stack traces. It is empty if there is none.
func CrashReason(text string) string { return crashRE.FindString(text) }
