// SPDX-License-Identifier: Apache-2.0

//go:build unix

package inventory

import (
	"io/fs"
	"syscall"
)

// blockSize is that of Stat_t.Blocks on all Unix systems that RDD runs on (stat(2)).
const blockSize = 512

// Allocated returns what a file takes, which for a disk image with holes is less
// than its size.
func Allocated(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * blockSize
	}
	return info.Size()
}
