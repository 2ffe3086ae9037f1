// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

const (
	// storedLives is how many containers live between two looks at the log, which
	// begins anew after some 1,000 pages.
	storedLives = 10
	storedTries = 10
)

// stored measures what the store writes for a life. What becomes of its file in a
// day is measured beside it: go test ./internal/controlplane/store -bench Day.
func stored(ctx context.Context, o options, r *report) error {
	return withEngine(ctx, o, r, 0, func(b *bench) error {
		if err := b.connect(ctx, images+volumes); err != nil {
			return err
		}
		dir, err := b.daemon.path(ctx, "dir")
		if err != nil {
			return err
		}
		database := filepath.Join(dir, "store.db")
		for try := range storedTries {
			if err := b.seen.quiet(ctx); err != nil {
				return err
			}
			before, err := readWAL(database)
			if err != nil {
				return err
			}
			if _, err := b.live(ctx, fmt.Sprint("stored-", try), storedLives); err != nil {
				return err
			}
			after, err := readWAL(database)
			if err != nil {
				return err
			}
			if log, file, ok := after.since(before); ok {
				b.single("written to the store's log for one life", "kB", float64(log)/storedLives/1e3, 0, 0)
				b.single(fmt.Sprintf("… to its file, by a checkpoint after %d", storedLives), "kB", float64(file)/storedLives/1e3, 0, 0)
				return nil
			}
		}
		return errors.New("the store's log began anew each time")
	})
}
