// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain keeps the user's own Docker contexts out of the tests: the App has one
// where it has an instance.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "rdd-docker-")
		if err == nil {
			defer func() { _ = os.RemoveAll(dir) }()
			err = os.Setenv("DOCKER_CONFIG", dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}
