// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"math"
	"math/bits"
)

// bytesOf returns count times unit. A file system without a limit may report more than
// fits: the result is then the largest number, never a full disk.
func bytesOf(count, unit uint64) int64 {
	if high, low := bits.Mul64(count, unit); high == 0 && low <= math.MaxInt64 {
		return int64(low)
	}
	return math.MaxInt64
}
