// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/k3s-io/kine/pkg/drivers/generic"
	"github.com/k3s-io/kine/pkg/query"
	"modernc.org/sqlite"
)

// driverName is the registered name of the pure Go driver.
const driverName = "sqlite"

// connectionParams are the parameters of each connection. There is one writer at a
// time; others wait. The log is synced at checkpoints, not at commits: a power failure
// may lose the last commits, but never damages the file (see Store.Checkpoint). The
// page cache (in KiB if negative) is small, because the API server caches what is read
// often.
const connectionParams = "_txlock=immediate" +
	"&_pragma=busy_timeout(30000)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-1024)"

// schema is kine's table. Of the indexes of kine's own SQLite driver it has only the
// one that the queries use: writers are serialized, so the check of the previous
// revision in each insert needs no unique index.
var schema = []string{
	`PRAGMA auto_vacuum = INCREMENTAL`, // effective only before the first table
	`PRAGMA journal_mode = WAL`,
	`CREATE TABLE IF NOT EXISTS kine (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		name TEXT,
		created INTEGER,
		deleted INTEGER,
		create_revision INTEGER,
		prev_revision INTEGER,
		lease INTEGER,
		value BLOB,
		old_value BLOB)`,
	`CREATE INDEX IF NOT EXISTS kine_name_id ON kine (name, id)`,
}

const (
	// compactSQL deletes replaced revisions and deletion records in (?, ?]. The range
	// is given twice.
	compactSQL = `DELETE FROM kine WHERE id IN (
		SELECT prev_revision FROM kine WHERE id > ? AND id <= ? AND prev_revision != 0 AND name != 'compact_rev_key'
		UNION ALL
		SELECT id FROM kine WHERE id > ? AND id <= ? AND deleted != 0)`

	sizeSQL = `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`
)

// openSQLite opens or creates the database for as long as ctx lives; wg is done when it
// is closed.
func openSQLite(ctx context.Context, wg *sync.WaitGroup, path string) (*vacuuming, error) {
	if err := touch(path); err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn(path, connectionParams))
	if err != nil {
		return nil, err
	}
	// kine retries to open a database for minutes; here the first error is returned.
	first := sql.OpenDB(connector)
	for _, statement := range schema {
		if _, err := first.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, first.Close())
		}
	}
	if err := first.Close(); err != nil {
		return nil, err
	}
	dialect, err := generic.OpenDB(ctx, wg, driverName, keeping{connector}, generic.ConnectionPoolConfig{MaxIdle: 4}, "?", false, nil)
	if err != nil {
		return nil, err
	}
	dialect.LastInsertID = true
	dialect.ErrCode = errCode
	dialect.GetSizeSQL = query.New(sizeSQL, "?", false, "Size")
	dialect.CompactSQL = query.New(compactSQL, "?", false, "Compact")
	return &vacuuming{dialect}, nil
}

// touch creates a missing file without permissions for others; SQLite gives its log and
// its index the same mode.
func touch(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// foldLog moves the rest of a write-ahead log into its file, as SQLite does when the
// last connection is closed. If that fails, the log stays, and nothing is lost.
func foldLog(path string) {
	db, err := sql.Open(driverName, dsn(path, "mode=rw"))
	if err != nil {
		return
	}
	defer func() { _ = db.Close() }()
	_, _ = db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
}

// dsn returns the URI of the database at path (https://www.sqlite.org/uri.html): a
// slash precedes a drive letter.
func dsn(path, params string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?" + params
}

// errCode returns an error's label in kine's metrics.
func errCode(err error) string {
	var failure *sqlite.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failure):
		return fmt.Sprint(failure.Code())
	}
	return "other"
}
