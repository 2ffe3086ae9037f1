// SPDX-License-Identifier: Apache-2.0

// Package store keeps the API server's objects: kine on a SQLite file, in this
// process and with no socket. The API server reaches it through etcd clients
// whose calls are function calls. A [Remote] is a datastore that others keep.
package store

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/logstructured/sqllog"
	"github.com/k3s-io/kine/pkg/server"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
)

const (
	compactInterval  = 5 * time.Minute
	compactTimeout   = 5 * time.Second
	compactMinRetain = 1000 // revisions that a watch may always resume from
	compactBatch     = 1000

	// Local writes wake the poll and the watches themselves; these are for
	// writes by others, of which there are none.
	pollInterval   = 30 * time.Second
	notifyInterval = time.Minute
	closeTimeout   = 5 * time.Second
	pollBatch      = 500
)

// Config describes a store.
type Config struct {
	// File is the SQLite database; it is made where there never was one.
	File string
	// Version is that of the program, for the record beside the file.
	Version string

	// uncompacted leaves it to a test to compact.
	uncompacted bool
}

// Store is an open store. It belongs to one process at a time, which the
// caller makes sure of.
type Store struct {
	file    string
	backend *backend
	dialect *vacuuming
	bridge  *server.KVServerBridge

	cancel context.CancelFunc
	wg     sync.WaitGroup

	checkpoints chan struct{} // holds a token while a checkpoint is wanted
}

// Open opens the store, or makes it where it never existed. The error of a
// store that exists and can't be read is a [*DamagedError], that of one which a
// newer program wrote a [*NewerError]; the file is then left as it is.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	fresh, err := inspect(ctx, cfg.File)
	if err != nil {
		return nil, err
	}
	// The store ends by Close and not with ctx, which only bounds the opening.
	life, cancel := context.WithCancel(context.Background())
	s := &Store{file: cfg.File, cancel: cancel, checkpoints: make(chan struct{}, 1)}
	stopOnTimeout := context.AfterFunc(ctx, cancel)

	interval := compactInterval
	if cfg.uncompacted {
		interval = 0
	}
	dialect, err := openSQLite(life, &s.wg, cfg.File)
	if err == nil {
		s.dialect = dialect
		s.backend = newBackend(sqllog.New(dialect, &s.wg, &drivers.Config{
			CompactInterval:  interval,
			CompactTimeout:   compactTimeout,
			CompactMinRetain: compactMinRetain,
			CompactBatchSize: compactBatch,
			PollInterval:     pollInterval,
			PollBatchSize:    pollBatch,
		}))
		err = s.backend.Start(life)
	}
	if !stopOnTimeout() && err == nil {
		err = ctx.Err() // it was opened, and then closed
	}
	if err == nil && fresh {
		err = writeRecord(cfg.File, cfg.Version)
	}
	if err != nil {
		s.Close()
		if isCorrupt(err) {
			return nil, &DamagedError{File: cfg.File, Err: err}
		}
		if isLocked(err) {
			return nil, &LockedError{File: cfg.File}
		}
		return nil, fmt.Errorf("open the store %s: %w", cfg.File, err)
	}
	s.bridge = server.New(s.backend, "rdd", notifyInterval, datastore.EmulatedVersion)
	s.wg.Add(1)
	go s.checkpointLoop(life)
	return s, nil
}

// Close ends the store and waits for all that it started. Clients must have
// been closed. When it returns the file is whole by itself: the last connection
// to be closed has moved the write-ahead log into it.
func (s *Store) Close() {
	s.cancel()
	s.wg.Wait()
	if s.dialect == nil { // it was never opened
		return
	}
	// A connection whose query was given up is closed a moment after the pool.
	for deadline := time.Now().Add(closeTimeout); s.dialect.DB.Stats().OpenConnections > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	// Of connections that are closed at once none knows itself to be the last.
	if _, err := os.Stat(s.file + "-wal"); err == nil {
		foldLog(s.file)
	}
}

// Failed is closed when the file turned out to be damaged while in use; Err
// then says how.
func (s *Store) Failed() <-chan struct{} { return s.backend.damaged }

// Err returns the [*DamagedError] that closed Failed.
func (s *Store) Err() error {
	if err := s.backend.damage(); err != nil {
		return &DamagedError{File: s.file, Err: err}
	}
	return nil
}

// Prefix is what the keys of the API server begin with, as in any Kubernetes
// cluster, so that its tools can read a store.
func (s *Store) Prefix() string { return "/registry" }

// WatchProgress reports whether watchers can rely on what is said of their progress.
func (s *Store) WatchProgress() bool { return true }

// Ping reports whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	_, _, err := s.backend.Get(ctx, server.HealthKey, 0, true)
	return err
}

// Client returns an etcd client of the store. Each has a watch stream of its
// own, so that a slow reader of one resource never holds up another's.
func (s *Store) Client() *kubernetes.Client {
	c := clientv3.NewCtxClient(context.Background())
	c.KV = clientv3.NewKVFromKVClient(adapter.KvServerToKvClient(s.bridge), c)
	c.Lease = clientv3.NewLeaseFromLeaseClient(adapter.LeaseServerToLeaseClient(s.bridge), c, time.Second)
	c.Watcher = clientv3.NewWatchFromWatchClient(adapter.WatchServerToWatchClient(watches{s.bridge}), c)
	client := &kubernetes.Client{Client: c}
	client.Kubernetes = client
	return client
}

// Checkpoint asks for what was written so far to be on disk soon, whatever
// becomes of the machine. It returns at once.
func (s *Store) Checkpoint() {
	select {
	case s.checkpoints <- struct{}{}:
	default: // one is wanted already, and will cover this too
	}
}

func (s *Store) checkpointLoop(ctx context.Context) {
	defer s.wg.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.checkpoints:
		}
		// Where it fails the next one, or SQLite's own, does its work.
		_ = s.dialect.checkpoint(ctx)
	}
}
