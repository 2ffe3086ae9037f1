// SPDX-License-Identifier: Apache-2.0

//go:build unix

package inventory

import (
	"io/fs"
	"syscall"
)

// blockSize is the unit of Stat_t.Blocks on all Unix systems that RDD supports (stat(2)).
const blockSize = 512

// Allocated returns the disk space of a file, which for a sparse disk image is less than
// its size.
func Allocated(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * blockSize
	}
	return info.Size()
}
