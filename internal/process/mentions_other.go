// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

// Mentions reports whether a process's arguments contain the text; false if they are
// unknown. Only on Linux do changes of the clock affect a process's start time.
func Mentions(int, string) bool { return false }
