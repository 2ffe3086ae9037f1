// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"slices"
	"testing"
)

func FuzzSelect(f *testing.F) {
	for _, seed := range []string{"", "*", "containers,-engine", " rdd , container ", "-app,*", "*,-*", "--app", ",", "app,,\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, selection string) {
		chosen, err := testRegistry.Select(selection)
		if err != nil {
			return
		}
		names := Names(chosen)
		for i, controller := range chosen {
			for _, need := range controller.DependsOn {
				if !slices.Contains(names, need) {
					t.Errorf("%q selects %s without %s", selection, controller.Name, need)
				}
			}
			if slices.Contains(names[:i], controller.Name) {
				t.Errorf("%q selects %s twice", selection, controller.Name)
			}
		}
	})
}
