// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package mirror_test

// realEngines run on Linux only.
func realEngines() []engineCase { return nil }
