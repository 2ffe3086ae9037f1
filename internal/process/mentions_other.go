// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package process

// Mentions reports whether the text is in the arguments that a process was started with;
// false where that is not known. Other systems than Linux keep the time at which a
// process began as it was, whatever becomes of the clock.
func Mentions(int, string) bool { return false }
