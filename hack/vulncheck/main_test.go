// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The version is the one in the Makefile.
func govulncheck(t *testing.T) string {
	t.Helper()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile(`golang.org/x/vuln/cmd/govulncheck@\S+`).FindString(string(makefile))
	if program == "" {
		t.Fatal("the Makefile names no govulncheck")
	}
	return program
}

// write writes files below a directory, by name.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// database creates one with a vulnerability in strings.Title of every Go version.
func database(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const modified = `"modified": "2026-01-01T00:00:00Z"`
	write(t, dir, map[string]string{
		"index/db.json":      `{` + modified + `}`,
		"index/modules.json": `[{"path": "stdlib", "vulns": [{"id": "GO-2026-0001", ` + modified + `}]}]`,
		"index/vulns.json":   `[{"id": "GO-2026-0001", ` + modified + `}]`,
		"ID/GO-2026-0001.json": `{"schema_version": "1.3.1", "id": "GO-2026-0001", ` + modified + `, "published": "2026-01-01T00:00:00Z",
			"summary": "made for a test", "details": "made for a test", "affected": [{"package": {"name": "stdlib", "ecosystem": "Go"},
			"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
			"ecosystem_specific": {"imports": [{"path": "strings", "symbols": ["Title"]}]}}],
			"database_specific": {"url": "https://example.com/GO-2026-0001"}}`,
	})
	return "file://" + filepath.ToSlash(dir)
}

// TestCheck checks the reports, and when they are failures.
func TestCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("builds govulncheck")
	}
	const (
		mod   = "module example.com/x\n\ngo 1.26\n"
		calls = "package main\n\nimport \"strings\"\n\nfunc main() { println(strings.Title(\"a\")) }\n"
		safe  = "package main\n\nimport \"strings\"\n\nfunc main() { println(strings.ToUpper(\"a\")) }\n"
	)
	known := database(t)
	for _, c := range []struct {
		name, database string
		files          map[string]string
		fails          bool
		says           string
	}{
		{"called", known, map[string]string{"go.mod": mod, "main.go": calls}, true, "your code is affected by 1 vulnerability"},
		{"imported and not called", known, map[string]string{"go.mod": mod, "main.go": safe}, false, "your code is affected by 0 vulnerabilities"},
		{"called in a module below", known, map[string]string{"go.mod": mod, "main.go": safe, "test/y/go.mod": mod, "test/y/main.go": calls}, true, "your code is affected by 1 vulnerability"},
		{"a module without packages", known, map[string]string{"go.mod": mod, "main.go": safe, "y/go.mod": mod}, false, "vulnerabilities of "},
		{"what does not compile", known, map[string]string{"go.mod": mod, "main.go": "package main\n\nfunc main() { none() }\n"}, true, "undefined: none"},
		{"no database", "file:///nonexistent", map[string]string{"go.mod": mod, "main.go": calls}, false, "VULNERABILITIES ARE NOT CHECKED"},
		{"a database that refuses", "http://127.0.0.1:1", map[string]string{"go.mod": mod, "main.go": calls}, false, "VULNERABILITIES ARE NOT CHECKED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			var out strings.Builder
			err := checker{program: govulncheck(t), database: c.database, out: &out}.run(t.Context(), dir)
			if (err != nil) != c.fails || !strings.Contains(strings.ToLower(out.String()), strings.ToLower(c.says)) {
				t.Errorf("error %v; it says:\n%s", err, out.String())
			}
		})
	}
}
