// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// buildExamples builds the examples in Go, once, as their pages do. It returns
// where they are, and what make said.
var buildExamples = sync.OnceValues(func() (dir string, said buildOutput) {
	dir = filepath.Join(programs, "examples") // where no program looks for them
	if said.err = os.Mkdir(dir, 0o755); said.err == nil {
		var out []byte
		out, said.err = makeInto(context.Background(), dir, "build-examples").CombinedOutput()
		said.text = string(out)
	}
	return dir, said
})

type buildOutput struct {
	text string
	err  error
}

// builtExamples returns the directory with the examples in Go.
func builtExamples(t *testing.T) string {
	t.Helper()
	dir, said := buildExamples()
	if said.err != nil {
		t.Fatal(fmt.Errorf("build the examples: %w: %s", said.err, said.text))
	}
	return dir
}

// TestExamplesShareWhatIsCompiled: after make build an example compiles itself and
// little else. hack/build tells of more than a hundred packages.
func TestExamplesShareWhatIsCompiled(t *testing.T) {
	builtExamples(t)
	if _, said := buildExamples(); strings.Contains(said.text, "packages") {
		t.Errorf("it compiles again what the programs have in common with it:\n%s", said.text)
	}
}
