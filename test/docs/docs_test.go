// SPDX-License-Identifier: Apache-2.0

// Package docs_test checks what pages tell their readers to type.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGoCommandsShareWhatIsCompiled: go has other flags by default than the
// Makefile, with which it compiles Kubernetes again. A page that has a go command
// for this module says so first: eval "$(make env)".
func TestGoCommandsShareWhatIsCompiled(t *testing.T) {
	var pages []string
	for _, dir := range []string{"docs", "examples", "."} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && dir == "." && path != filepath.Join("..", "..") {
				return fs.SkipDir
			}
			if strings.HasSuffix(path, ".md") {
				pages = append(pages, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(pages) < 10 {
		t.Fatalf("only %d pages", len(pages))
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if command := bare(string(text)); command != "" {
			t.Errorf(`%s has %q with no eval "$(make env)" before it`, page, command)
		}
	}
}

var goCommand = regexp.MustCompile(`\bgo (?:run|build|test|vet|install) [^\n` + "`" + `]*\./[^\n` + "`" + `]*`)

// bare returns the first go command for this module before which a page does not
// say how to have the Makefile's flags.
func bare(page string) string {
	before, _, _ := strings.Cut(page, `eval "$(make env)"`)
	return goCommand.FindString(before)
}

func TestBare(t *testing.T) {
	for page, want := range map[string]string{
		"Run `go run ./examples/watch-go`, or not.":                    "go run ./examples/watch-go",
		"eval \"$(make env)\"\ngo test -count=1 ./internal/x":          "",
		"go test -run X ./internal/x\neval \"$(make env)\"":            "go test -run X ./internal/x",
		"go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23": "",
		"make build-examples":                                          "",
	} {
		if got := bare(page); got != want {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
}
