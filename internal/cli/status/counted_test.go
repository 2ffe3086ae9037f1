// SPDX-License-Identifier: Apache-2.0

package status

import "testing"

func TestCounted(t *testing.T) {
	t.Parallel()
	for n, want := range map[int32]string{0: "0 images", 1: "1 image", 2: "2 images"} {
		if got := counted(n, "image"); got != want {
			t.Errorf("counted(%d): %q, want %q", n, got, want)
		}
	}
}
