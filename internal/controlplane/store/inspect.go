// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/regular"
)

// format is the version of the file's content: the tables and the encodings of the
// objects. Raise it when an older program could not read, or would destroy, what this
// one writes.
const format = 1

// maxRecord is the maximum size of a record, in bytes.
const maxRecord = 1 << 20

// record is in a file beside the database once the database is complete. If the record
// exists, a missing or empty database is a loss, not a new store.
type record struct {
	Format  int    `json:"format"`
	Version string `json:"version"` // of the program that made the store
}

// DamagedError is the error for a store that exists and can't be read.
type DamagedError struct {
	File string
	Err  error
}

// Error names the file, the damage, and the remedy.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the store %s is damaged: %v; restore a backup, or run `rdd service reset`, "+
		"which creates an empty store with the same settings: containers, images and volumes stay in the engine "+
		"and are mirrored again, the App's settings and objects of your own are lost", e.File, e.Err)
}

// Unwrap returns the damage.
func (e *DamagedError) Unwrap() error { return e.Err }

// NewerError is the error for a store that a newer program wrote.
type NewerError struct {
	File    string
	Format  int
	Version string
}

// Error names both formats, and the remedies.
func (e *NewerError) Error() string {
	return fmt.Sprintf("the store %s was written by rdd %s in format %d, and this rdd supports formats up to %d: "+
		"use that rdd or a newer one, or run `rdd service reset`, which creates an empty store with the same settings",
		e.File, e.Version, e.Format, format)
}

// Files returns every file of the store at path.
func Files(path string) []string {
	return []string{recordFile(path), path, path + "-wal", path + "-shm"}
}

func recordFile(path string) string { return path + ".json" }

// inspect reports whether path never had a store. It changes nothing.
func inspect(ctx context.Context, path string) (fresh bool, err error) {
	if fresh, err := begun(path); err != nil || fresh {
		return fresh, err
	}
	return false, quickCheck(ctx, path)
}

// begun is [inspect] without reading the database.
func begun(path string) (fresh bool, err error) {
	data, err := regular.Read(recordFile(path), maxRecord)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// There is no store, or its creation was interrupted.
		return true, nil
	case err != nil:
		return false, fmt.Errorf("read the store's record: %w", err)
	}
	if err := checkRecord(path, data); err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, &DamagedError{File: path, Err: errors.New("the file is missing")}
	case err != nil:
		return false, err
	case info.Size() == 0:
		return false, &DamagedError{File: path, Err: errors.New("the file is empty")}
	}
	return false, nil
}

// checkRecord rejects a newer program's store, from the record beside it.
func checkRecord(path string, data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return &DamagedError{File: recordFile(path), Err: err}
	}
	if r.Format > format {
		return &NewerError{File: path, Format: r.Format, Version: r.Version}
	}
	return nil
}

// firstKey is the key of a row that kine writes first and never removes.
const firstKey = "compact_rev_key"

// quickCheck runs SQLite's own check, and looks for kine's table with its first row,
// which every complete store has: SQLite and kine would create a missing one. It does
// not check the objects.
func quickCheck(ctx context.Context, path string) error {
	db, err := sql.Open(driverName, dsn(path, "mode=rw"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var verdict string
	err = db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case isCorrupt(err):
		return &DamagedError{File: path, Err: err}
	case isLocked(err):
		return &LockedError{File: path}
	case err != nil:
		return fmt.Errorf("check the store %s: %w", path, err)
	case verdict != "ok":
		return &DamagedError{File: path, Err: errors.New(verdict)}
	}
	var rows int
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM kine WHERE name = ? LIMIT 1)", firstKey).Scan(&rows)
	switch {
	case isLocked(err):
		return &LockedError{File: path}
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return &DamagedError{File: path, Err: fmt.Errorf("its table can't be read: %w", err)}
	case rows == 0:
		return &DamagedError{File: path, Err: errors.New("its table has been emptied")}
	}
	return nil
}

// LockedError is the error if another program has locked the store.
type LockedError struct{ File string }

// Error names the file and the remedy.
func (e *LockedError) Error() string {
	return fmt.Sprintf("the store %s is locked by another program, such as a backup or sqlite3: stop that program and try again", e.File)
}

// isLocked recognizes SQLite's messages for SQLITE_BUSY and SQLITE_LOCKED
// (sqlite3_errstr).
func isLocked(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "table is locked"))
}

func writeRecord(path, version string) error {
	data, err := json.Marshal(record{Format: format, Version: version})
	if err != nil {
		return err
	}
	return atomicfile.Write(recordFile(path), append(data, '\n'), 0o600)
}
