// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rancher-sandbox/rancher-desktop-daemon/"

// packages returns the directories with Go files below some of the repository's, with
// what the files that are no tests import of this module.
func packages(t *testing.T, dirs ...string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			imports := found[name]
			for _, spec := range file.Imports {
				if imported, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ok && !strings.HasSuffix(path, "_test.go") {
					imports = append(imports, imported)
				}
			}
			found[name] = imports
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// TestArchitectureNamesPackages: a newcomer finds each package on the page.
func TestArchitectureNamesPackages(t *testing.T) {
	page, err := os.ReadFile("../../docs/design/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range packages(t, "cmd", "internal", "hack") {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("architecture.md lacks %s", name)
		}
	}
}

// TestDependenciesRunOneWay: no package imports a package that it must not know.
func TestDependenciesRunOneWay(t *testing.T) {
	controllers := []string{"internal/app", "internal/lima", "internal/mirror", "internal/hostinfo", "internal/demo", "internal/engine"}
	commands := []string{"internal/cli", "internal/service", "internal/daemon", "internal/client"}
	rules := map[string][]string{
		"internal/mirror":       {"internal/app", "internal/lima"},
		"internal/engine":       {"internal/mirror", "internal/app", "internal/lima", "internal/manager"},
		"internal/lima":         {"internal/app", "internal/mirror", "internal/engine"},
		"internal/controlplane": append([]string{"internal/manager"}, controllers...),
	}
	for _, controller := range controllers {
		rules[controller] = append(rules[controller], commands...)
	}
	below := func(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
	for name, imports := range packages(t, "internal") {
		for dir, forbidden := range rules {
			if !below(name, dir) {
				continue
			}
			for _, imported := range imports {
				if slices.ContainsFunc(forbidden, func(f string) bool { return below(imported, f) }) {
					t.Errorf("%s imports %s", name, imported)
				}
			}
		}
	}
}

// TestPackagesLiveBesideTheirImporters: a package directly in internal/ has several
// importers. What only one package needs is beneath that package.
func TestPackagesLiveBesideTheirImporters(t *testing.T) {
	parts := []string{"internal/daemon", "internal/importorder"} // a part of the program, and one with a page only
	importers := map[string]map[string]bool{}
	for name, imports := range packages(t, "cmd", "internal", "hack") {
		for _, imported := range imports {
			if importers[imported] == nil {
				importers[imported] = map[string]bool{}
			}
			importers[imported][name] = true
		}
	}
	for name := range packages(t, "internal") {
		if strings.Count(name, "/") == 1 && len(importers[name]) < 2 && !slices.Contains(parts, name) {
			t.Errorf("%s has the only importer %v: move it beneath that", name, slices.Sorted(maps.Keys(importers[name])))
		}
	}
}
