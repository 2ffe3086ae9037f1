// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package daemon

// unmapProgram does nothing on this system.
func unmapProgram() error { return nil }
