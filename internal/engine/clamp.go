// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"time"
)

// Clamp32 returns the number, or the nearest one that a status has room for.
func Clamp32(number int64) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, number)))
}

// NoTime stands for a time of an engine that has no form in RFC 3339, in whose place a mirror has none and says so.
func NoTime() time.Time { return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }
