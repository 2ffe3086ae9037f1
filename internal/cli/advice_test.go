// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// redirected is a kubeconfig that a shell writes, for all to read.
var redirected = regexp.MustCompile(`(?:service|svc) config[^\n|]*>`)

// TestNoAdviceToRedirectAKubeconfig: in no page, program, example or help.
func TestNoAdviceToRedirectAKubeconfig(t *testing.T) {
	root := filepath.Join("..", "..")
	looked := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") && name != ".ci" || slices.Contains([]string{"node_modules", "bin", "dist"}, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if name == "advice_test.go" || !slices.Contains([]string{".md", ".go", ".py", ".mjs", ".sh", ".yaml", ".html", ""}, filepath.Ext(name)) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		if found := redirected.Find(data); found != nil {
			t.Errorf("%s advises %q: --file makes a file that only the user can read", path, found)
		}
		return nil
	})
	if err != nil || looked < 100 {
		t.Errorf("%d files, %v", looked, err)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if text := cmd.Short + cmd.Long + cmd.Example; redirected.MatchString(text) {
			t.Errorf("%s: %s", cmd.CommandPath(), text)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(Commands(Config{}))
}
