// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver of the store
)

// TestDamagedStore: the error names the file and what reset would do, and the
// file stays.
//
//nolint:tparallel // its steps share one instance
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("service", "stop")
	file := filepath.Join(h.path("dir"), "store.db")
	for name, damage := range map[string]func() error{
		"rubbish": func() error { return os.WriteFile(file, []byte(strings.Repeat("rubbish ", 4096)), 0o600) },
		"empty":   func() error { return os.Truncate(file, 0) },
		"missing": func() error { return os.Remove(file) },
		"dropped": func() error { return execute(file, "DROP TABLE kine") },
		"emptied": func() error { return execute(file, "DELETE FROM kine") },
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(file)
			words := []string{file, "damaged", "rdd service reset", "lost"}
			h.fails(1, words, "service", "start")
			h.fails(1, words, "ctl", "get", "ns")
			h.fails(1, words, "service", "serve")
			if after, _ := os.ReadFile(file); string(after) != string(before) {
				t.Error("the damaged store was changed")
			}
			h.ok("service", "reset", "--yes")
			h.ok("service", "start")
			h.ok("service", "stop")
		})
	}
}

// execute runs a statement in a database as sqlite3 does.
func execute(file, statement string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.Background(), statement)
	return errors.Join(err, db.Close())
}

func TestNewerStore(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	h.ok("service", "stop")
	record := filepath.Join(h.path("dir"), "store.db.json")
	if err := os.WriteFile(record, []byte(`{"format":99,"version":"9.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.fails(1, []string{"9.0.0", "store.db", "format 99", "rdd service reset"}, "service", "start")
}

// TestAnotherVersion: the daemon that runs is another rdd.
func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	state := filepath.Join(h.path("dir"), "daemon.json")
	data, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), h.status().Version, "9.0.0", 1)
	if err := os.WriteFile(state, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	words := []string{"9.0.0", "rdd service start"}
	h.fails(5, words, "ctl", "get", "ns")
	h.fails(5, words, "set", "running=false")
	h.ok("service", "status")
	h.ok("status")

	// One that has written what this one can't read is left alone.
	record := filepath.Join(h.path("dir"), "store.db.json")
	readable, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, []byte(`{"format":99,"version":"9.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	before := h.pid()
	for _, command := range [][]string{{"service", "start"}, {"start"}} {
		h.fails(5, []string{"9.0.0", "format 99"}, command...)
	}
	if h.pid() != before {
		t.Error("the daemon was replaced")
	}
	if err := os.WriteFile(record, readable, 0o600); err != nil {
		t.Fatal(err)
	}
	h.succeeds([]string{"has replaced the daemon of rdd 9.0.0"}, "service", "start")
	if h.pid() == before || h.status().Version == "9.0.0" {
		t.Errorf("the daemon was not replaced: %+v", h.status())
	}
	h.ok("ctl", "get", "ns")
}
