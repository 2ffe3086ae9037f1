// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"math"
	"math/bits"
)

// bytesOf returns how many bytes so many units of that size are. A file system
// without a limit may report more than a number has room for; that is the largest
// one then, and never a disk that is full.
func bytesOf(count, unit uint64) int64 {
	if high, low := bits.Mul64(count, unit); high == 0 && low <= math.MaxInt64 {
		return int64(low)
	}
	return math.MaxInt64
}
