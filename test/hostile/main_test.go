// SPDX-License-Identifier: Apache-2.0

package hostile_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain has more tests run at a time than there are processors: most wait for
// what does not come.
func TestMain(m *testing.M) {
	flag.Parse()
	const parallel = "12"
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
