// SPDX-License-Identifier: Apache-2.0

package debian

import "testing"

func TestVersion(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.3":                         "1.2.3",
		"1.2.3-rc.1":                    "1.2.3~rc.1",
		"1.2.3-4-gabcdef0":              "1.2.3+4.abcdef0",
		"1.2.3-4-gabcdef0-dirty":        "1.2.3+4.abcdef0.dirty",
		"1.2.3-rc.1-4-gabcdef0":         "1.2.3~rc.1+4.abcdef0",
		"1.2.3-dirty":                   "1.2.3~dirty",
		"0.0.0-20261123-abcdef012345":   "0.0.0~20261123.abcdef012345",
		"0.0.0-20261123-abcdef01-dirty": "0.0.0~20261123.abcdef01.dirty",
	} {
		if got := Version(version); got != want {
			t.Errorf("%s is %s, want %s", version, got, want)
		}
	}
}
