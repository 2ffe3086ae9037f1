// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// execute runs statements in the database as another program does.
func execute(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open(driverName, dsn(file, "mode=rwc"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestEmptiedStoreIsNoNewOne: a database that SQLite finds in order, without what was
// in it, is a loss and no beginning.
func TestEmptiedStoreIsNoNewOne(t *testing.T) {
	for name, empty := range map[string]func(t *testing.T, file string){
		"table dropped": func(t *testing.T, file string) {
			t.Helper()
			execute(t, file, "DROP TABLE kine")
		},
		"table emptied": func(t *testing.T, file string) {
			t.Helper()
			execute(t, file, "DELETE FROM kine", "VACUUM")
		},
		"table made anew": func(t *testing.T, file string) {
			t.Helper()
			execute(t, file, append([]string{"DROP TABLE kine"}, schema...)...)
		},
		"table of others": func(t *testing.T, file string) {
			t.Helper()
			execute(t, file, "DROP TABLE kine", "CREATE TABLE kine (x)", "INSERT INTO kine VALUES (1)")
		},
		"database of others": func(t *testing.T, file string) {
			t.Helper()
			remove(t, file)
			execute(t, file, "CREATE TABLE other (x)")
		},
		"missing with its log left": func(t *testing.T, file string) {
			t.Helper()
			if err := os.Rename(file, file+"-wal"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "store.db")
			fill(t, file)
			empty(t, file)
			s, err := Open(t.Context(), Config{File: file, Version: "test"})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "rdd service reset") {
				t.Errorf("error %v, want a DamagedError with the way out", err)
			}
		})
	}
}

// TestCopiedStoreIsFine: a copy of a store, also that of another instance, is what the
// error of a damaged one asks for.
func TestCopiedStoreIsFine(t *testing.T) {
	file, other := filepath.Join(t.TempDir(), "store.db"), filepath.Join(t.TempDir(), "store.db")
	fill(t, file)
	fill(t, other)
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	s := open(t, file)
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	if got := get(t, c.KV, "/registry/0199"); got == "" {
		t.Error("the copy is empty")
	}
}

// TestLockedStore: the error names the file, and does not advise to throw it away.
func TestLockedStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	fill(t, file)
	db, err := sql.Open(driverName, dsn(file, "mode=rw&_pragma=locking_mode(EXCLUSIVE)"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"BEGIN EXCLUSIVE", "CREATE TABLE other (x)"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	_, err = Open(t.Context(), Config{File: file, Version: "test"})
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "reset") {
		t.Errorf("error %v after %s, want a LockedError", err, time.Since(began))
	}
}
