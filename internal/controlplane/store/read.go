// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
)

// ErrElsewhere is the error if the objects are in a datastore, which only a daemon
// reads.
var ErrElsewhere = errors.New("the objects are in a datastore, which only a running daemon reads")

// newestSQL finds the newest revision of each key, without the values.
const newestSQL = `SELECT name, id FROM kine WHERE id IN (SELECT MAX(id) FROM kine GROUP BY name)
	AND deleted = 0 AND name LIKE '/registry/%' ORDER BY name`

// Read calls see with each object in the file of an instance without a running daemon,
// in the order of the keys, if want accepts the key. It changes nothing; a store that
// was never created has no objects.
func (p Place) Read(ctx context.Context, want func(key string) bool, see func(key string, value []byte)) (err error) {
	if p.Endpoint.Kind() != datastore.File {
		return ErrElsewhere
	}
	if fresh, err := begun(p.file()); err != nil || fresh {
		return err
	}
	db, err := sql.Open(driverName, dsn(p.file(), readMode(p.file())))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	wanted, err := wantedRevisions(ctx, db, want)
	if err != nil {
		return fmt.Errorf("read the store %s: %w", p.file(), err)
	}
	for _, row := range wanted {
		var value []byte
		if err := db.QueryRowContext(ctx, `SELECT value FROM kine WHERE id = ?`, row.id).Scan(&value); err != nil {
			return fmt.Errorf("read %s in the store %s: %w", row.key, p.file(), err)
		}
		see(row.key, value)
	}
	return nil
}

// readMode returns the mode for opening a file read-only. Without a write-ahead log no
// process has the file open, and SQLite need not create one.
func readMode(path string) string {
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return "mode=ro&_pragma=busy_timeout(1000)"
	}
	return "mode=ro&immutable=1"
}

type revision struct {
	key string
	id  int64
}

func wantedRevisions(ctx context.Context, db *sql.DB, want func(key string) bool) (wanted []revision, err error) {
	rows, err := db.QueryContext(ctx, newestSQL)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r revision
		if err := rows.Scan(&r.key, &r.id); err != nil {
			return nil, err
		}
		if want(r.key) {
			wanted = append(wanted, r)
		}
	}
	return wanted, rows.Err()
}
