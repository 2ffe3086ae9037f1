// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/k3s-io/kine/pkg/server"
)

// probeTimeout bounds the write that tests whether writes work again.
const probeTimeout = 2 * time.Second

// noteWrite records whether the store can write. A write that was rejected because of
// the store's content, or was canceled, shows nothing.
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

// isUnable recognizes SQLite's messages for SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY
// and SQLITE_CANTOPEN (sqlite3_errstr).
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

// Writable returns why the store can't write, nil if it can. If the last write failed
// it tries another one: a store without other writes would otherwise stay unwritable
// after space is available again.
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

// Writable implements [Objects]: each failed write returns an error, and monitoring a
// datastore is its owner's task.
func (r *Remote) Writable(context.Context) error { return nil }
