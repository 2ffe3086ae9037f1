// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/k3s-io/kine/pkg/drivers/generic"
)

const (
	// vacuumPages is how many free pages one step returns to the file system, which
	// blocks writes for about 40 ms; there are vacuumSteps steps after a compaction.
	vacuumPages = 256
	vacuumSteps = 16

	// vacuumPause is the longest sleep of a writer that waits for SQLite's lock: taking
	// the lock again earlier would starve it.
	vacuumPause = 100 * time.Millisecond

	// passiveSQL moves the log's pages into the file without blocking writers.
	passiveSQL  = "PRAGMA wal_checkpoint(PASSIVE)" //nolint:gosec // no password
	truncateSQL = "PRAGMA wal_checkpoint(TRUNCATE)"
)

// vacuuming is kine's dialect, which returns the space that a compaction freed in steps
// that let other writers in.
type vacuuming struct{ *generic.Generic }

// PostCompact implements [server.Dialect]. It returns a bounded number of free pages,
// and then empties the log.
func (v vacuuming) PostCompact(ctx context.Context) error {
	vacuum := fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)
	for range vacuumSteps {
		var free int64
		if err := v.DB.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
			return err
		}
		if free == 0 {
			break
		}
		if _, err := v.DB.ExecContext(ctx, vacuum); err != nil {
			return err
		}
		select {
		case <-time.After(vacuumPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := v.checkpoint(ctx); err != nil { // first, because the next one blocks writes
		return err
	}
	_, err := v.DB.ExecContext(ctx, truncateSQL)
	return err
}

// checkpoint moves the log into the file, as far as readers allow, and syncs both. It
// does not wait.
func (v vacuuming) checkpoint(ctx context.Context) error {
	var busy, pages, moved int64
	return v.DB.QueryRowContext(ctx, passiveSQL).Scan(&busy, &pages, &moved)
}
