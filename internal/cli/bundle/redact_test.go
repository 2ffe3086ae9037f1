// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestRedact: nothing of a secret stays, and all else does.
func TestRedact(t *testing.T) {
	r := &redactor{}
	r.add("known-secret-value\nsecond-line-of-it", "short")
	for text, want := range map[string]string{
		"a known-secret-value b":                                             "a [redacted] b",
		"only second-line-of-it here":                                        "only [redacted] here",
		"short words stay":                                                   "short words stay",
		"postgres://user:hunter2@host/db":                                    "postgres://user:[redacted]@host/db",
		"https://user:p@ss@host/x":                                           "https://user:[redacted]@host/x",
		"Authorization: Bearer abcdefgh12":                                   "Authorization: [redacted] [redacted]",
		"--password hunter2 --name x":                                        "--password [redacted] --name x",
		"--registry-token=hunter2 --x":                                       "--registry-token=[redacted] --x",
		`{"password":"hunter2","name":"x"}`:                                  `{"password":[redacted],"name":"x"}`,
		`{"msg":"{\"apiKey\":\"hunter2\"}"}`:                                 `{"msg":"{\"apiKey\":[redacted]}"}`,
		"MYSQL_ROOT_PASSWORD=hunter2":                                        "MYSQL_ROOT_PASSWORD=[redacted]",
		"secretRef:\n  name: x":                                              "secretRef:\n  name: x",
		"x eyJhbGciOi.eyJzdWIiOi.c2lnbmF0 y":                                 "x [redacted] y",
		"ghp_0123456789abcdefghij0123":                                       "[redacted]",
		"-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----": "[redacted]",
		"-----BEGIN PRIVATE KEY-----\nMHcC and the log ends":                 "[redacted]",
		"time=2026-11-30T07:00:00 level=INFO msg=waiting gate=store":         "time=2026-11-30T07:00:00 level=INFO msg=waiting gate=store",
		"tcp://127.0.0.1:2375 and user@host":                                 "tcp://127.0.0.1:2375 and user@host",
	} {
		if got := r.text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestPrune: what a user gave a container is left out, wherever it is.
func TestPrune(t *testing.T) {
	var object any
	text := `{"status":{"args":["--key","hunter2"],"name":"web","labels":{"a":"hunter2"},"list":[{"env":["X=hunter2"],"command":"hunter2"}]}}`
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	data, err := yaml.Marshal(prune(object))
	if err != nil || strings.Contains(string(data), "hunter2") || !strings.Contains(string(data), "name: web") || !strings.Contains(string(data), "leftOut: 2") {
		t.Errorf("%v: %s", err, data)
	}
}
