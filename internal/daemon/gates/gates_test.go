// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"slices"
	"testing"
)

func TestGates(t *testing.T) {
	var waits []string
	gates := New([]string{"a", "b"}, func(waiting string) { waits = append(waits, waiting) })
	failing := func() (names []string) {
		for _, check := range gates.Checks() {
			if check.Check(nil) != nil {
				names = append(names, check.Name())
			}
		}
		return names
	}
	if got := failing(); !slices.Equal(got, []string{"gate-a", "gate-b"}) || gates.Waiting() != "a" {
		t.Errorf("at first: failing %v, waiting for %q", got, gates.Waiting())
	}
	gates.Pass("a")
	if got := failing(); !slices.Equal(got, []string{"gate-b"}) || gates.Waiting() != "b" {
		t.Errorf("after a: failing %v, waiting for %q", got, gates.Waiting())
	}
	gates.Pass("b")
	if got := failing(); len(got) != 0 || gates.Waiting() != "" {
		t.Errorf("at last: failing %v, waiting for %q", got, gates.Waiting())
	}
	if !slices.Equal(waits, []string{"b", ""}) {
		t.Errorf("waits %q", waits)
	}
}

func TestGatesOutOfTurn(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a gate could be passed out of turn")
		}
	}()
	New(Order, nil).Pass(Announced)
}
