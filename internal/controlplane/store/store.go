// SPDX-License-Identifier: Apache-2.0

// Package store stores the API server's objects: kine on a SQLite file, in this process
// and without a socket. The API server uses etcd clients whose calls are function
// calls. A [Remote] is an external datastore.
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

	// Local writes wake the poll and the watches; these intervals are for writes by
	// other processes, of which there are none.
	pollInterval   = 30 * time.Second
	notifyInterval = time.Minute
	closeTimeout   = 5 * time.Second
	pollBatch      = 500
)

// Config describes a store.
type Config struct {
	// File is the SQLite database, created if there never was one.
	File string
	// Version of the program, for the record beside the file.
	Version string

	// uncompacted disables compactions for a test.
	uncompacted bool
}

// Store is an open store. The caller makes sure that only one process opens it.
type Store struct {
	file    string
	backend *backend
	dialect *vacuuming
	bridge  *server.KVServerBridge

	cancel context.CancelFunc
	wg     sync.WaitGroup

	checkpoints chan struct{} // holds a token while a checkpoint is requested
}

// Open opens the store, or creates it if it never existed. The error for an unreadable
// store is a [*DamagedError], for a newer program's store a [*NewerError]; Open does
// not change such a file.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	fresh, err := inspect(ctx, cfg.File)
	if err != nil {
		return nil, err
	}
	// Close ends the store, not ctx, which only bounds the opening.
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
		err = ctx.Err() // it was opened, and closed by the end of ctx
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

// Close closes the store and waits for its goroutines. Close clients first. Afterwards
// the file is complete without its write-ahead log, which the last connection has moved
// into it.
func (s *Store) Close() {
	s.cancel()
	s.wg.Wait()
	if s.dialect == nil { // it was never opened
		return
	}
	// A connection with a canceled query is closed a moment after the pool.
	for deadline := time.Now().Add(closeTimeout); s.dialect.DB.Stats().OpenConnections > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	// Connections that are closed at the same time may all miss that they are the last.
	if _, err := os.Stat(s.file + "-wal"); err == nil {
		foldLog(s.file)
	}
}

// Failed is closed when the file turns out to be damaged; Err then returns how.
func (s *Store) Failed() <-chan struct{} { return s.backend.damaged }

// Err returns the [*DamagedError] that closed Failed.
func (s *Store) Err() error {
	if err := s.backend.damage(); err != nil {
		return &DamagedError{File: s.file, Err: err}
	}
	return nil
}

// Prefix is the prefix of the API server's keys, as in any Kubernetes cluster, so that
// its tools can read a store.
func (s *Store) Prefix() string { return "/registry" }

// WatchProgress reports whether watchers can rely on reported progress.
func (s *Store) WatchProgress() bool { return true }

// Ping reports whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	_, _, err := s.backend.Get(ctx, server.HealthKey, 0, true)
	return err
}

// Client returns an etcd client of the store, with its own watch stream, so that a slow
// reader of one resource does not delay another's.
func (s *Store) Client() *kubernetes.Client {
	c := clientv3.NewCtxClient(context.Background())
	c.KV = clientv3.NewKVFromKVClient(adapter.KvServerToKvClient(s.bridge), c)
	c.Lease = clientv3.NewLeaseFromLeaseClient(adapter.LeaseServerToLeaseClient(s.bridge), c, time.Second)
	c.Watcher = clientv3.NewWatchFromWatchClient(adapter.WatchServerToWatchClient(watches{s.bridge}), c)
	client := &kubernetes.Client{Client: c}
	client.Kubernetes = client
	return client
}

// Checkpoint requests that all previous writes be synced to disk soon, and returns
// immediately.
func (s *Store) Checkpoint() {
	select {
	case s.checkpoints <- struct{}{}:
	default: // a pending one covers this too
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
		// If it fails, the next one, or SQLite's own, does its work.
		_ = s.dialect.checkpoint(ctx)
	}
}
