// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/k3s-io/kine/pkg/logstructured"
	"github.com/k3s-io/kine/pkg/server"
)

// backend is kine's, corrected, and extended to report failed writes and a file that
// turns out to be damaged.
type backend struct {
	server.Backend

	damaged chan struct{}
	once    sync.Once

	mu  sync.Mutex
	err error // guarded by mu; the reason for closing damaged
	// unwritten is why the last write failed, if the store could not write at all.
	unwritten error // guarded by mu
}

func newBackend(log logstructured.Log) *backend {
	return &backend{Backend: logstructured.New(&mendedLog{Log: log}), damaged: make(chan struct{})}
}

// mendedLog is kine's log with two faults corrected, see also [watches].
//
// kine treats a failed write as a revision of another writer: on a full disk a create
// would succeed, and an update would be retried as a conflict forever. Append records
// the reason in the context's [write].
//
// kine's newest revision can stay behind after concurrent writes, until the next write.
// Readers that wait for a cache to be as new as the store would wait forever, because
// their reported progress ends at that revision.
type mendedLog struct {
	logstructured.Log
	newest atomic.Int64 // written revision
}

// Append implements [logstructured.Log].
func (l *mendedLog) Append(ctx context.Context, event *server.Event) (int64, error) {
	revision, err := l.Log.Append(ctx, event)
	if w, ok := ctx.Value(writeKey{}).(*write); ok {
		w.revision, w.err = revision, err
	}
	if err == nil {
		l.wrote(revision)
	}
	return revision, err
}

func (l *mendedLog) wrote(revision int64) {
	for {
		newest := l.newest.Load()
		if revision <= newest || l.newest.CompareAndSwap(newest, revision) {
			return
		}
	}
}

// CurrentRevision implements [logstructured.Log].
func (l *mendedLog) CurrentRevision(ctx context.Context) (int64, error) {
	revision, err := l.Log.CurrentRevision(ctx)
	return max(revision, l.newest.Load()), err
}

// write is the result of one write.
type write struct {
	revision int64 // that it made
	err      error
}

type writeKey struct{}

// writing returns a context for one write.
func writing(ctx context.Context) (context.Context, *write) {
	w := &write{}
	return context.WithValue(ctx, writeKey{}, w), w
}

// own returns the revision of a write. For a recreated key kine returns the newest
// revision, which may be another writer's later one: a client that takes it for the
// object's revision can't write to the object, and ignores writes of others in between.
func (w *write) own(revision int64, written bool) int64 {
	if written && w.revision > 0 {
		return w.revision
	}
	return revision
}

// outcome returns the result of a write for which kine returned err.
func (b *backend) outcome(w *write, err error) error {
	if w.err != nil {
		err = w.err
	}
	b.see(err)
	b.noteWrite(w, err)
	return err
}

// see closes damaged if an error shows damage.
func (b *backend) see(err error) {
	if !isCorrupt(err) {
		return
	}
	b.once.Do(func() {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
		close(b.damaged)
	})
}

// damage returns the reason for closing damaged.
func (b *backend) damage() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// createTries is how often a create is retried after a compaction interfered: each
// retry needs another compaction of a key that was deleted again.
const createTries = 3

// Create implements [server.Backend]. A compaction may drop the deletion record of the
// key while kine, which has read it, creates the key again. kine then returns that the
// key exists, or that it was created though nothing was written.
func (b *backend) Create(ctx context.Context, key string, value []byte, lease int64) (revision int64, err error) {
	for range createTries {
		call, w := writing(ctx)
		revision, err = b.Backend.Create(call, key, value, lease)
		revision, err = w.own(revision, err == nil), b.outcome(w, err)
		if !b.missed(ctx, key, w, err) {
			return revision, err
		}
	}
	return revision, fmt.Errorf("create %s: interrupted by compactions", key)
}

// missed reports whether a create wrote nothing although the key does not exist.
func (b *backend) missed(ctx context.Context, key string, w *write, err error) bool {
	switch {
	case err == nil:
		return w.revision == 0
	case errors.Is(err, server.ErrKeyExists):
		_, there, err := b.Get(ctx, key, 0, true)
		return err == nil && there == nil
	}
	return false
}

func (b *backend) Update(ctx context.Context, key string, value []byte, revision, lease int64) (int64, *server.KeyValue, bool, error) {
	ctx, w := writing(ctx)
	now, kv, ok, err := b.Backend.Update(ctx, key, value, revision, lease)
	return w.own(now, ok), kv, ok, b.outcome(w, err)
}

func (b *backend) Delete(ctx context.Context, key string, revision int64) (int64, *server.KeyValue, bool, error) {
	ctx, w := writing(ctx)
	now, kv, ok, err := b.Backend.Delete(ctx, key, revision)
	return w.own(now, ok), kv, ok, b.outcome(w, err)
}

func (b *backend) Get(ctx context.Context, key string, revision int64, keysOnly bool) (int64, *server.KeyValue, error) {
	now, kv, err := b.Backend.Get(ctx, key, revision, keysOnly)
	err = readError(ctx, err)
	b.see(err)
	return now, kv, err
}

func (b *backend) List(ctx context.Context, key, end string, limit, revision int64, keysOnly bool) (int64, []*server.KeyValue, error) {
	now, kvs, err := b.Backend.List(ctx, key, end, limit, revision, keysOnly)
	err = readError(ctx, err)
	b.see(err)
	return now, kvs, err
}

// readError returns the error of a read for which kine returned err. If the client
// canceled the query, kine reports an unhealthy cluster, because the first row is
// missing.
func readError(ctx context.Context, err error) error {
	if canceled := ctx.Err(); canceled != nil && errors.Is(err, server.ErrGRPCUnhealthy) {
		return canceled
	}
	return err
}

// isCorrupt recognizes SQLite's messages for SQLITE_CORRUPT and SQLITE_NOTADB, which
// are the same in every driver (sqlite3_errstr).
func isCorrupt(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "database disk image is malformed") || strings.Contains(text, "file is not a database")
}
