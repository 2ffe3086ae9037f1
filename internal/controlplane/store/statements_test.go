// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
)

// kept opens a database with one connection, and returns how many statements
// that keeps.
func kept(t *testing.T) (*sql.DB, func() int) {
	t.Helper()
	connector, err := sqlite.NewConnector(dsn(filepath.Join(t.TempDir(), "s.db"), connectionParams))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(keeping{connector})
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	mustExec(t, db, "CREATE TABLE n (i INTEGER PRIMARY KEY)")
	return db, func() (n int) {
		t.Helper()
		conn, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.Raw(func(c any) error { n = len(c.(*keptConn).kept); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func mustExec(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func TestStatementsAreKept(t *testing.T) {
	db, count := kept(t)
	before := count()
	for i := range 10 {
		mustExec(t, db, "INSERT INTO n VALUES (?)", i)
	}
	if got := count(); got != before+1 {
		t.Errorf("%d statements are kept after ten of one text, want %d", got, before+1)
	}
	// One that fails is not kept, and the next of its text works.
	if _, err := db.ExecContext(t.Context(), "INSERT INTO n VALUES (?)", 1); err == nil {
		t.Error("the same key twice was accepted")
	}
	if got := count(); got != before {
		t.Errorf("%d statements are kept after one that failed, want %d", got, before)
	}
	mustExec(t, db, "INSERT INTO n VALUES (?)", 10)
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM n").Scan(&n); err != nil || n != 11 {
		t.Errorf("there are %d rows (%v), want 11", n, err)
	}
	// A schema that changes makes none of them wrong.
	mustExec(t, db, "ALTER TABLE n ADD COLUMN more TEXT DEFAULT 'x'")
	mustExec(t, db, "INSERT INTO n (i) VALUES (?)", 11)
	for i := range 3 * maxStatements {
		mustExec(t, db, fmt.Sprintf("UPDATE n SET i = i WHERE i = %d", i))
	}
	if got := count(); got != maxStatements {
		t.Errorf("%d statements are kept, want at most %d", got, maxStatements)
	}
}

// TestStatementWithinItself: a text whose rows are still being read is asked
// again on the same connection.
func TestStatementWithinItself(t *testing.T) {
	db, count := kept(t)
	for i := range 3 {
		mustExec(t, db, "INSERT INTO n VALUES (?)", i)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const text = "SELECT i FROM n WHERE i >= ? ORDER BY i"
	var got []int
	outer, err := tx.QueryContext(t.Context(), text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for outer.Next() {
		var from int
		if err := outer.Scan(&from); err != nil {
			t.Fatal(err)
		}
		inner, err := tx.QueryContext(t.Context(), text, from)
		if err != nil {
			t.Fatal(err)
		}
		for inner.Next() {
			var i int
			if err := inner.Scan(&i); err != nil {
				t.Fatal(err)
			}
			got = append(got, i)
		}
		if err := inner.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := outer.Err(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "[0 1 2 1 2 2]" {
		t.Errorf("read %v", got)
	}
	if n := count(); n > maxStatements {
		t.Errorf("%d statements are kept", n)
	}
}
