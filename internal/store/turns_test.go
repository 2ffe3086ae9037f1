// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/client/v3/kubernetes"
	"modernc.org/sqlite"
)

// TestTurnsAreInOrder: who asks for a turn again at once comes after all that wait.
func TestTurnsAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		take := func() {
			if err := turns.take(t.Context()); err != nil {
				t.Error(err)
			}
		}
		var order []int // by who has the turn
		take()
		for i := range 3 {
			go func() {
				take()
				order = append(order, i)
				turns.give()
			}()
			synctest.Wait() // until it waits for its turn
		}
		turns.give()
		take()
		if want := []int{0, 1, 2}; !slices.Equal(order, want) {
			t.Errorf("the turns went to %d before one that asked last, want %d", order, want)
		}
	})
}

// TestWritingHasATurn: a transaction has a turn from its begin to its end, and a
// query needs none.
func TestWritingHasATurn(t *testing.T) {
	connector, err := sqlite.NewConnector(dsn(filepath.Join(t.TempDir(), "s.db"), connectionParams))
	if err != nil {
		t.Fatal(err)
	}
	turns := newTurns()
	db := sql.OpenDB(keeping{connector, turns})
	defer func() { _ = db.Close() }()
	mustExec(t, db, "CREATE TABLE n (i INTEGER PRIMARY KEY)")
	for name, end := range map[string]func(*sql.Tx) error{"commit": (*sql.Tx).Commit, "rollback": (*sql.Tx).Rollback} {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO n DEFAULT VALUES"); err != nil {
			t.Errorf("%s: a write in the transaction: %v", name, err)
		}
		if len(turns) != 1 {
			t.Errorf("%s: a transaction has no turn after a write in it", name)
		}
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM n").Scan(&n); err != nil {
			t.Errorf("%s: a query beside the transaction: %v", name, err)
		}
		if err := end(tx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(turns) != 0 {
			t.Fatalf("%s: the turn is not given back", name)
		}
	}
}

// TestNoTurnIsLost by a write that is given up, fails, or is taken back: the next
// one is made.
func TestNoTurnIsLost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	defer s.Close()
	db := s.dialect.DB
	write := func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "INSERT INTO kine (name) VALUES ('x')")
		return err
	}
	for name, end := range map[string]func(ctx context.Context) error{
		"written": write,
		"failed": func(ctx context.Context) error {
			if _, err := db.ExecContext(ctx, "INSERT INTO none VALUES (1)"); err == nil {
				return errors.New("a table that there is not was written to")
			}
			return nil
		},
		"taken back": func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, "INSERT INTO kine (name) VALUES ('x')")
			return errors.Join(err, tx.Rollback())
		},
		"given up while it waits": func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			waited := write(short)
			_, begun := db.BeginTx(short, nil) //nolint:sqlclosecheck // there is none
			if !errors.Is(waited, context.DeadlineExceeded) || !errors.Is(begun, context.DeadlineExceeded) {
				err = fmt.Errorf("writes beside a transaction ended with %w and %w", waited, begun)
			}
			return errors.Join(err, tx.Commit())
		},
		"given up by its context": func(ctx context.Context) error {
			short, cancel := context.WithCancel(ctx)
			_, err := db.BeginTx(short, nil) //nolint:sqlclosecheck // its context ends it
			cancel()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := end(ctx); err != nil {
				t.Error(err)
			}
			if err := write(ctx); err != nil {
				t.Errorf("the next write: %v", err)
			}
		})
	}
}

// TestACompactionGivesBack what was deleted to the file system.
func TestACompactionGivesBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(t.Context(), Config{File: file, Version: "test", uncompacted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := s.Client()
	defer func() { _ = c.Close() }()
	large := strings.Repeat("x", 64<<10)
	for i := range 100 {
		key := fmt.Sprint("/registry/", i)
		revision := put(t, c.KV, key, large, 0)
		deleted, err := c.OptimisticDelete(t.Context(), key, revision, kubernetes.DeleteOptions{GetOnFailure: true})
		if err != nil || !deleted.Succeeded {
			t.Fatalf("delete %s: %+v, %v", key, deleted, err)
		}
	}
	revision := int64(0)
	for range compactMinRetain {
		revision = put(t, c.KV, "/registry/small", "", revision)
	}
	if err := s.dialect.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	full := size(t, file)
	if _, err := s.backend.Compact(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	if left := size(t, file); left > full/10 {
		t.Errorf("of %d bytes, nearly all of which were deleted, %d are left", full, left)
	}
	if log := size(t, file+"-wal"); log != 0 {
		t.Errorf("the log has %d bytes, want none", log)
	}
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
