// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for name, words := range map[string][]string{
		"rdd.1":               {`.TH "RDD" "1"`, "rdd-start(1)", "--instance"},
		"rdd-run.1":           {"DOCKER_CONTEXT", "rdd run docker ps"},
		"rdd-service-start.1": {"--timeout"},
		"rdd-ctl.1":           {"wait-condition"},
	} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, word := range words {
			// A hyphen may be escaped (man(7)).
			if text := strings.ReplaceAll(string(page), `\-`, "-"); !strings.Contains(text, word) {
				t.Errorf("%s does not say %q", name, word)
			}
		}
		if strings.Contains(string(page), "secure-port") {
			t.Errorf("%s has flags that are hidden", name)
		}
	}
}
