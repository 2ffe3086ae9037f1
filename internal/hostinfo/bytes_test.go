// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"math"
	"testing"
)

func TestBytesOf(t *testing.T) {
	for _, c := range []struct {
		count, unit uint64
		want        int64
	}{
		{0, 4096, 0},
		{3, 4096, 12288},
		{math.MaxInt64, 1, math.MaxInt64},
		{1 << 63, 1, math.MaxInt64},
		{1 << 52, 4096, math.MaxInt64}, // 0 as an int64
		{math.MaxUint64, 4096, math.MaxInt64},
	} {
		if got := bytesOf(c.count, c.unit); got != c.want {
			t.Errorf("%d of %d bytes are %d, want %d", c.count, c.unit, got, c.want)
		}
	}
}
