// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/k3s-io/kine/pkg/server"
)

// probeTimeout bounds the write that finds out whether writes work again.
const probeTimeout = 2 * time.Second

// noteWrite notes whether the store can write. A write that was refused for what
// is in the store, or that its caller gave up, shows nothing.
func (b *backend) noteWrite(w *write, err error) {
	unable := isUnable(err)
	if !unable && w.revision == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwritten = nil
	if unable {
		b.unwritten = err
	}
}

// isUnable recognises SQLite's words for SQLITE_FULL, SQLITE_IOERR,
// SQLITE_READONLY and SQLITE_CANTOPEN (sqlite3_errstr).
func isUnable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	text := err.Error()
	for _, words := range []string{"database or disk is full", "disk I/O error", "attempt to write a readonly database", "unable to open database file", "database is locked"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// Writable returns why the store can't write, nil if it can. If the last write
// failed it tries another one: without it a store to which nothing else is written
// would stay unwritable after there is room again.
func (s *Store) Writable(ctx context.Context) error {
	s.backend.mu.Lock()
	failure := s.backend.unwritten
	s.backend.mu.Unlock()
	if failure == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, kv, err := s.backend.Get(ctx, server.HealthKey, 0, false)
	if err != nil {
		return err
	}
	if kv == nil {
		return failure
	}
	_, _, _, err = s.backend.Update(ctx, server.HealthKey, kv.Value, kv.ModRevision, 0)
	return err
}

// Writable implements [Objects]: what can't be written is an error of each write,
// and a datastore that others keep is theirs to watch.
func (r *Remote) Writable(context.Context) error { return nil }
