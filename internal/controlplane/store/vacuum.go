// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/k3s-io/kine/pkg/drivers/generic"
)

const (
	// vacuumPages of free pages are given back to the file system at a time, which
	// holds up writes for some 40 ms, and vacuumSteps times after a compaction.
	vacuumPages = 256
	vacuumSteps = 16

	// vacuumPause is the longest sleep of a writer that waits for SQLite's lock: who
	// takes the lock again sooner overtakes it.
	vacuumPause = 100 * time.Millisecond

	// passiveSQL moves the log's pages into the file beside writers.
	passiveSQL  = "PRAGMA wal_checkpoint(PASSIVE)" //nolint:gosec // no password
	truncateSQL = "PRAGMA wal_checkpoint(TRUNCATE)"
)

// vacuuming is kine's dialect, which gives back what a compaction freed in steps
// that let others write in between.
type vacuuming struct{ *generic.Generic }

// PostCompact implements [server.Dialect]. It gives free pages back, a bounded
// number, and then empties the log.
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
	if err := v.checkpoint(ctx); err != nil { // first, as the next one holds up writes
		return err
	}
	_, err := v.DB.ExecContext(ctx, truncateSQL)
	return err
}

// checkpoint moves what is in the log into the file, as far as readers let it, and
// syncs both. It does not wait.
func (v vacuuming) checkpoint(ctx context.Context) error {
	var busy, pages, moved int64
	return v.DB.QueryRowContext(ctx, passiveSQL).Scan(&busy, &pages, &moved)
}
