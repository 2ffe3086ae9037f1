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

// backend is kine's, mended and made to tell of what kine keeps to itself: a
// write that failed, and a file that proves to be damaged while it is in use.
type backend struct {
	server.Backend

	damaged chan struct{}
	once    sync.Once

	mu  sync.Mutex
	err error // guarded by mu; why damaged is closed
	// unwritten is why the last write failed, if the store could not write at all.
	unwritten error // guarded by mu
}

func newBackend(log logstructured.Log) *backend {
	return &backend{Backend: logstructured.New(&mendedLog{Log: log}), damaged: make(chan struct{})}
}

// mendedLog is kine's log without three of its faults, see also [watches].
//
// kine takes a write that failed for a revision that another writer made: a
// create on a full disk would succeed, and an update would be a conflict, tried
// again for ever. Append notes in the context's [write] why it failed.
//
// kine's note of the newest revision stays behind when two writes end at once,
// until the next one. Readers that wait until a cache is as new as the store
// would wait for ever, as the progress that they are told of ends at the note.
type mendedLog struct {
	logstructured.Log
	newest atomic.Int64 // revision that was written
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

// write is how the write of one call ended.
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

// own returns the revision that a write made. Of a key that is made again kine
// says the newest that there is, which with other writers is a later one: who
// takes it for the object's can't write to it, and takes what others write
// since then for old.
func (w *write) own(revision int64, written bool) int64 {
	if written && w.revision > 0 {
		return w.revision
	}
	return revision
}

// outcome returns how a write ended that kine says ended with err.
func (b *backend) outcome(w *write, err error) error {
	if w.err != nil {
		err = w.err
	}
	b.see(err)
	b.noteWrite(w, err)
	return err
}

// see closes damaged where an error tells of it.
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

// damage returns why damaged is closed.
func (b *backend) damage() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// createTries is how often a create is begun again that a compaction came between:
// each takes another compaction, of a key that was deleted again.
const createTries = 3

// Create implements [server.Backend]. A compaction may drop the record that the key
// was deleted while kine, which has met it, makes the key again. kine then says that
// the key exists, or that it was made though nothing was written.
func (b *backend) Create(ctx context.Context, key string, value []byte, lease int64) (revision int64, err error) {
	for range createTries {
		call, w := writing(ctx)
		revision, err = b.Backend.Create(call, key, value, lease)
		revision, err = w.own(revision, err == nil), b.outcome(w, err)
		if !b.missed(ctx, key, w, err) {
			return revision, err
		}
	}
	return revision, fmt.Errorf("create %s: compactions came between", key)
}

// missed reports whether nothing was written for a create though the key is not there.
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

// readError returns how a read ended that kine says ended with err. kine does not look
// why the first row is missing: a query that its client gave up is an unhealthy
// cluster to it.
func readError(ctx context.Context, err error) error {
	if canceled := ctx.Err(); canceled != nil && errors.Is(err, server.ErrGRPCUnhealthy) {
		return canceled
	}
	return err
}

// isCorrupt recognises SQLite's words for SQLITE_CORRUPT and SQLITE_NOTADB,
// which are the same in every driver (sqlite3_errstr).
func isCorrupt(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "database disk image is malformed") || strings.Contains(text, "file is not a database")
}
