// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEachDiagnosticIsKnown: each diagnostic that is declared is in the list of
// [Known]. Nothing else would notice that one is missing there.
func TestEachDiagnosticIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, d := range Known() {
		known[string(d.Code)] = true
	}
	declared := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if kind, ok := literal.Type.(*ast.Ident); ok && kind.Name == "Diagnostic" {
				declared[codeOf(literal)] = true
			}
			return true
		})
	}
	if diff := cmp.Diff(declared, known); diff != "" {
		t.Errorf("declared -, in Known +:\n%s", diff)
	}
}

// codeOf returns the code in a diagnostic's declaration.
func codeOf(literal *ast.CompositeLit) string {
	for _, element := range literal.Elts {
		field, ok := element.(*ast.KeyValueExpr)
		if !ok || field.Key.(*ast.Ident).Name != "Code" {
			continue
		}
		if code, ok := field.Value.(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(code.Value); err == nil {
				return text
			}
		}
	}
	return "a diagnostic whose code is no literal"
}

// TestRegistry: each diagnostic is whole, has a rule and an observer, and depends on
// known ones only.
func TestRegistry(t *testing.T) {
	known := Known()
	seen := map[Code]bool{}
	for _, d := range known {
		if seen[d.Code] {
			t.Errorf("%s is there twice", d.Code)
		}
		seen[d.Code] = true
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`).MatchString(string(d.Code)) || d.Title == "" || d.Text == "" || d.Remedy == "" {
			t.Errorf("%+v", d)
		}
		if d.Severity.rank() < 0 {
			t.Errorf("%s has the severity %q", d.Code, d.Severity)
		}
		if !slices.Contains([]Observer{Conditions, AppEvents, HostInfoEvents, StatusCommand}, d.Reporter) {
			t.Errorf("%s is reported by %q", d.Code, d.Reporter)
		}
		for _, cause := range d.causes() {
			if !slices.Contains(known, cause) {
				t.Errorf("%s depends on %s, which is not known", d.Code, cause.Code)
			}
		}
		if d.Rule == nil {
			t.Errorf("%s has no rule", d.Code)
		} else if found := d.Rule(&Observed{}); len(found) > 0 {
			t.Errorf("%s follows from nothing: %+v", d.Code, found)
		}
	}
}
