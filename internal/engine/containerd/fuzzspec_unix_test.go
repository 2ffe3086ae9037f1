// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package containerd

import (
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// FuzzProcessSpec has the specification of a container, of which an exec's is made.
func FuzzProcessSpec(f *testing.F) {
	f.Add([]byte(`{"process":{"args":["sh"],"cwd":"/","user":{"uid":0}}}`))
	f.Add([]byte(`{"process":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, spec []byte) {
		made, err := processSpec(spec, engine.ExecOptions{Command: []string{"true"}})
		if err == nil && made == nil {
			t.Error("neither a specification nor an error")
		}
	})
}
