// SPDX-License-Identifier: Apache-2.0

package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// TestReadWAL: what is read of the log is what SQLite wrote to it.
func TestReadWAL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // the last to close would remove the log
	execute := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	look := func() *wal {
		t.Helper()
		w, err := readWAL(file)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if w := look(); len(w.pages) != 0 {
		t.Errorf("no log has %d pages", len(w.pages))
	}
	execute("PRAGMA journal_mode = WAL")
	execute("CREATE TABLE t (v)")
	begin := look()
	for range 3 {
		execute("INSERT INTO t VALUES (1)") // each writes the table's one page
	}
	log, written, ok := look().since(begin)
	if !ok || log != 3*(24+4096) || written != 4096 {
		t.Errorf("three inserts wrote %d bytes, and %d to the file, %v; want %d and 4096", log, written, ok, 3*(24+4096))
	}
	if info, err := os.Stat(file + "-wal"); err != nil || info.Size() != 32+int64(len(look().pages))*(24+4096) {
		t.Errorf("the log: %v, %v; %d pages were read", info, err, len(look().pages))
	}

	full := look()
	execute("PRAGMA wal_checkpoint(RESTART)")
	execute("INSERT INTO t VALUES (1)")
	if w := look(); len(w.pages) != 1 {
		t.Errorf("a log that began anew has %d pages, want 1: older ones follow it", len(w.pages))
	}
	if _, _, ok := look().since(full); ok {
		t.Error("a new log is not reported")
	}
}
