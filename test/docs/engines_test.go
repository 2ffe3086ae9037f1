// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEngineTypesAreInOnePlace: outside of internal/engine no code selects by the type of
// an engine, which the registry answers, and none takes an endpoint apart or puts one
// together, which the package endpoint does.
func TestEngineTypesAreInOnePlace(t *testing.T) {
	bareScheme := regexp.MustCompile(`^(unix|npipe|tcp|ssh):/*(\./pipe/)?$`)
	types := []string{"EngineMoby", "EngineContainerd", "EngineSimulated"}
	apis := []string{"appv1alpha1", "containersv1alpha1", "rddv1alpha1"}
	for _, dir := range []string{"cmd", "internal", "hack"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(node ast.Node) bool {
				switch node := node.(type) {
				case *ast.BasicLit:
					text, _ := strconv.Unquote(node.Value)
					// A datastore has endpoints of its own.
					if node.Kind == token.STRING && bareScheme.MatchString(text) && !strings.HasPrefix(name, "internal/engine/endpoint/") &&
						!strings.HasPrefix(name, "internal/controlplane/") {
						t.Errorf("%s has %s: use internal/engine/endpoint", name, node.Value)
					}
				case *ast.SelectorExpr:
					from, ok := node.X.(*ast.Ident)
					if ok && slices.Contains(apis, from.Name) && slices.Contains(types, node.Sel.Name) && !strings.HasPrefix(name, "internal/engine/") {
						t.Errorf("%s has %s.%s: ask the driver, or internal/engine/traits", name, from.Name, node.Sel.Name)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestProgramsWithoutEngines: a program that connects to no engine links no driver, and
// with it no library of Docker or containerd.
func TestProgramsWithoutEngines(t *testing.T) {
	imports := packages(t, "cmd", "internal", "api")
	for program, dockerToo := range map[string]bool{"cmd/app-controller": true, "cmd/rdd-controller": false, "cmd/lima-controller": false, "cmd/rdd-datastore": false} {
		linked := map[string]bool{program: true}
		for rest := []string{program}; len(rest) > 0; rest = rest[1:] {
			for _, imported := range imports[rest[0]] {
				if !linked[imported] {
					linked[imported] = true
					rest = append(rest, imported)
				}
			}
		}
		drivers := []string{"internal/engine/open", "internal/engine/containerd", "internal/engine/simulated"}
		if !dockerToo { // the App's controller asks the engines of Docker contexts
			drivers = append(drivers, "internal/engine/moby")
		}
		for _, driver := range drivers {
			if linked[driver] {
				t.Errorf("%s links %s", program, driver)
			}
		}
	}
}
