// SPDX-License-Identifier: Apache-2.0

package process

import "regexp"

// crashRE is the first line of what the Go runtime writes of a crash.
var crashRE = regexp.MustCompile(`(?m)^(?:panic|fatal error|SIG[A-Z]+): .*$`)

// CrashReason returns why a Go program crashed that wrote the text: the line before the
// stacks of its goroutines. It is empty if the text has none.
func CrashReason(text string) string { return crashRE.FindString(text) }
