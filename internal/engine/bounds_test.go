// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"strings"
	"testing"
)

func TestInfoIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 3<<20)
	info := Info{ID: "id", Version: long, APIVersion: "1.4\x1b[1m", OS: "linux\n", Architecture: "amd64", CPUs: 2}.Bounded()
	if info.ID != "id" || info.APIVersion != `1.4\x1b[1m` || info.OS != "linux " || info.Architecture != "amd64" || info.CPUs != 2 {
		t.Errorf("%+v", info)
	}
	if len(info.Version) > maxInfo || !strings.HasSuffix(info.Version, "9…(3145728 bytes)") {
		t.Errorf("a version of %d bytes", len(info.Version))
	}
	one, two := Info{ID: long + "1"}.Bounded().ID, Info{ID: long + "2"}.Bounded().ID
	if one == two || len(one) > maxInfo || one != (Info{ID: one}).Bounded().ID {
		t.Errorf("%q and %q", one, two)
	}
}

func TestClamp32(t *testing.T) {
	t.Parallel()
	for number, want := range map[int64]int32{0: 0, -7: -7, math.MaxInt64: math.MaxInt32, math.MinInt64: math.MinInt32, 1 << 32: math.MaxInt32} {
		if got := Clamp32(number); got != want {
			t.Errorf("%d: %d", number, got)
		}
	}
}
