// SPDX-License-Identifier: Apache-2.0

package datastore

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint Endpoint
		want     string // part of the error; "" for none
	}{
		"none":          {Endpoint{}, ""},
		"etcd":          {Endpoint{Address: NewAddress("http://127.0.0.1:2379,http://127.0.0.1:2380")}, ""},
		"PostgreSQL":    {Endpoint{Address: NewAddress("postgres://u:p@h/d?sslmode=disable")}, ""},
		"MySQL":         {Endpoint{Address: NewAddress("mysql://u:p@tcp(h:3306)/d")}, ""},
		"a file":        {Endpoint{Address: NewAddress("sqlite:///var/x.db?_journal=WAL")}, ""},
		"no scheme":     {Endpoint{Address: NewAddress("host:2379")}, "postgres, "},
		"unknown":       {Endpoint{Address: NewAddress("oracle://u:secret@h")}, "postgres, "},
		"relative":      {Endpoint{Address: NewAddress("sqlite://x.db")}, `"x.db" must be an absolute path`},
		"relative key":  {Endpoint{Address: NewAddress("https://h"), CAFile: "ca.crt"}, `"ca.crt"`},
		"half of a key": {Endpoint{Address: NewAddress("https://h"), CertFile: "/c"}, "must be given together"},
	} {
		err := c.endpoint.Check()
		switch {
		case (err == nil) != (c.want == ""), err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v", name, err)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
}

// TestString: no password is shown.
func TestString(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u:secret@h:5432/d": "postgres://h:5432", "mysql://u:secret@tcp(h:3306)/d": "mysql://h:3306",
		"nats://u:secret@h": "nats://h", "http://h:1": "http://h:1",
		"https://u:secret@h:1,https://h:2": "https://h:1,https://h:2", "https://u:secret%@h": "https://…",
	} {
		if got := (Endpoint{Address: NewAddress(url)}).String(); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}
