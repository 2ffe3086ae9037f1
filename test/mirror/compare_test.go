// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/compare"
)

type fields = compare.Fields

// equal waits until the mirrors of an engine are what the engine has: not more,
// no less, and every field.
func (e *env) equal(engineName string) {
	e.t.Helper()
	e.eventually("the mirrors are equal to the engine", func() (bool, string) {
		ctx, cancel := context.WithTimeout(e.t.Context(), patience)
		defer cancel()
		diff, err := e.hands.Diff(ctx, e.kube, engineName)
		if err != nil {
			return false, err.Error()
		}
		return diff == "", "(-engine +mirror)\n" + diff
	})
}

// mirrorSide reads the objects that bear the engine's label.
func (e *env) mirrorSide(engineName string) map[string]fields {
	e.t.Helper()
	mirrors, err := compare.Mirrors(e.t.Context(), e.kube, namespace, engineName)
	e.must(err)
	return mirrors
}
