// SPDX-License-Identifier: Apache-2.0

package store

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestWritable: after a write has failed on a full disk, the store reports it until a
// write succeeds; reading the report tries one.
func TestWritable(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	revision, err := s.backend.Create(t.Context(), "/registry/a", []byte("1"), 0)
	must(err)
	must(s.Writable(t.Context()))
	if _, err := s.backend.Create(t.Context(), "/registry/a", []byte("1"), 0); err == nil {
		t.Error("a key was made twice")
	}
	must(s.Writable(t.Context())) // a refused write shows nothing

	_, err = s.dialect.DB.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON kine BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	must(err)
	if _, _, _, err := s.backend.Update(t.Context(), "/registry/a", []byte("2"), revision, 0); err == nil {
		t.Fatal("the write succeeded: nothing is tested")
	}
	for range 2 {
		if err := s.Writable(t.Context()); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("writable: %v", err)
		}
	}
	_, err = s.dialect.DB.ExecContext(t.Context(), `DROP TRIGGER full`)
	must(err)
	must(s.Writable(t.Context()))
}
