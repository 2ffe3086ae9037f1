// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLook(t *testing.T) {
	words, err := parse("# a comment\nsomebody\t1\tthe actor\nno more\t0\tgone\n") // words:quote
	if err != nil || len(words) != 2 || words[0].most != 1 || words[1].instead != "gone" {
		t.Fatalf("parse = %+v, %v", words, err)
	}
	file := filepath.Join(t.TempDir(), "a.md")
	text := "Somebody, somebody else\nsomebody words:quote\nnobodysomebody http.NoBody\nit is no more.\nno\nmore\n" // words:quote
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := look(file, words); err != nil {
		t.Fatal(err)
	}
	if len(words[0].found) != 2 || len(words[1].found) != 1 {
		t.Errorf("found %v and %v", words[0].found, words[1].found)
	}
	if err := look(filepath.Join(t.TempDir(), "gone.go"), words); err != nil {
		t.Errorf("a file that is deleted: %v", err)
	}
	if _, err := parse("one part"); err == nil {
		t.Error("a line with one part is accepted")
	}
}
