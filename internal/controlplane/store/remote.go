// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/datastore"
)

const (
	// openPatience bounds the wait for a datastore at the start, and tryTimeout each
	// attempt.
	openPatience = time.Minute
	tryTimeout   = 5 * time.Second
	tryPause     = 50 * time.Millisecond

	// The values of Kubernetes' API server.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	dialTimeout      = 20 * time.Second

	erasePage = 500
)

// RemoteConfig describes a datastore. All fields are required.
type RemoteConfig struct {
	Endpoint datastore.Endpoint
	// Name is the prefix of this instance's keys, between slashes: other instances may
	// use the same datastore.
	Name string
	// Socket is the socket of the proxy process for a database.
	Socket string
	// Version of the program, for the record in the datastore.
	Version string
	Log     *slog.Logger
}

// Remote is an open datastore.
type Remote struct {
	RemoteConfig

	client   *clientv3.Client
	child    *child // nil if the datastore is an etcd
	progress bool
	end      context.CancelFunc
	compact  interface{ Stop() } // nil if the datastore compacts itself
}

// OpenRemote connects to a datastore, and waits at most a minute until it answers. The
// error for a newer program's datastore is a [*NewerError].
func OpenRemote(ctx context.Context, cfg RemoteConfig) (_ *Remote, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the datastore %s: %w", cfg.Endpoint, cfg.Endpoint.Address.ScrubError(err))
		}
	}()
	r := &Remote{RemoteConfig: cfg}
	servers := cfg.Endpoint.Servers()
	if cfg.Endpoint.Kind() == datastore.Database {
		if r.child, err = startChild(cfg.Endpoint, cfg.Socket, cfg.Log); err != nil {
			return nil, err
		}
		servers = []string{"unix://" + cfg.Socket}
	}
	if err := r.open(ctx, servers); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Remote) open(ctx context.Context, servers []string) error {
	life, end := context.WithCancel(context.Background())
	r.end = end
	cfg := clientv3.Config{
		Context:              life,
		Endpoints:            servers,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepaliveTime,
		DialKeepAliveTimeout: keepaliveTimeout,
		Logger:               zap.NewNop(), // the returned errors report failures
	}
	if r.child == nil {
		info := transport.TLSInfo{TrustedCAFile: r.Endpoint.CAFile, CertFile: r.Endpoint.CertFile, KeyFile: r.Endpoint.KeyFile}
		if !info.Empty() || info.TrustedCAFile != "" {
			var err error
			if cfg.TLS, err = info.ClientConfig(); err != nil {
				return err
			}
		}
	}
	var err error
	if r.client, err = clientv3.New(cfg); err != nil {
		return err
	}
	if err := r.waitAnswer(ctx); err != nil {
		return err
	}
	if err := r.checkRecord(ctx); err != nil {
		return err
	}
	return r.checkServer(ctx, servers[0])
}

// waitAnswer waits until the datastore answers.
func (r *Remote) waitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	for {
		err := r.try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.Failed():
			return r.child.words()
		case <-ctx.Done():
			if r.child != nil {
				err = fmt.Errorf("%w (%w)", err, r.child.words())
			}
			return fmt.Errorf("no answer: %w", err)
		case <-time.After(tryPause):
		}
	}
}

func (r *Remote) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return r.Ping(ctx)
}

// recordKey is the key of the record, which a file store has in a file. The API
// server's keys are below [Remote.Prefix].
func (r *Remote) recordKey() string { return r.root() + "rdd.json" }

func (r *Remote) root() string { return "/" + r.Name + "/" }

// checkRecord rejects a newer program's datastore, and creates a missing record.
func (r *Remote) checkRecord(ctx context.Context) error {
	c := r.Client()
	defer func() { _ = c.Close() }()
	got, err := c.Kubernetes.Get(ctx, r.recordKey(), kubernetes.GetOptions{})
	if err != nil {
		return err
	}
	if got.KV == nil {
		data, err := json.Marshal(record{Format: format, Version: r.Version})
		if err != nil {
			return err
		}
		_, err = c.Kubernetes.OptimisticPut(ctx, r.recordKey(), data, 0, kubernetes.PutOptions{})
		return err
	}
	var known record
	if err := json.Unmarshal(got.KV.Value, &known); err != nil {
		return fmt.Errorf("read its key %s: %w", r.recordKey(), err)
	}
	if known.Format > format {
		return &NewerError{File: r.Endpoint.String(), Format: known.Format, Version: known.Version}
	}
	return nil
}

// checkServer detects the server's features. An etcd leaves compactions to its clients.
func (r *Remote) checkServer(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	status, err := r.client.Status(ctx, server)
	if err != nil {
		return err
	}
	r.progress = hasProgress(status.Version)
	if r.child == nil {
		r.compact = etcd3.NewCompactor(r.client, compactInterval, clock.RealClock{}, nil)
	}
	return nil
}

// hasProgress reports whether watchers can rely on the progress that an etcd of the
// version reports: https://github.com/etcd-io/etcd/issues/17507.
func hasProgress(text string) bool {
	v, err := version.ParseSemantic(text)
	if err != nil {
		return false
	}
	least := version.MustParseSemantic("3.5.13")
	if v.Major() == 3 && v.Minor() == 4 {
		least = version.MustParseSemantic("3.4.31")
	}
	return v.AtLeast(least)
}

// Prefix is the prefix of the API server's keys.
func (r *Remote) Prefix() string { return r.root() + "registry" }

// WatchProgress reports whether watchers can rely on reported progress.
func (r *Remote) WatchProgress() bool { return r.progress }

// Client returns a client of the datastore, with its own watch streams. All clients
// share a connection.
func (r *Remote) Client() *kubernetes.Client {
	c := clientv3.NewCtxClient(r.client.Ctx())
	c.KV = clientv3.NewKV(r.client)
	c.Lease = clientv3.NewLease(r.client)
	c.Watcher = clientv3.NewWatcher(r.client)
	client := &kubernetes.Client{Client: c}
	client.Kubernetes = client
	return client
}

// Ping reports whether the datastore answers.
func (r *Remote) Ping(ctx context.Context) error {
	_, err := r.client.Get(ctx, r.recordKey())
	return r.Endpoint.Address.ScrubError(err)
}

// Failed is closed when the proxy process has exited. A datastore that does not answer
// for a while has not failed.
func (r *Remote) Failed() <-chan struct{} {
	if r.child == nil {
		return nil
	}
	return r.child.done
}

// Err returns the reason of Failed.
func (r *Remote) Err() error {
	return fmt.Errorf("the datastore %s: %w", r.Endpoint, r.child.words())
}

// Close closes the connection. Close clients first.
func (r *Remote) Close() {
	if r.end != nil {
		r.end()
	}
	if r.compact != nil {
		r.compact.Stop()
	}
	if r.client != nil {
		_ = r.client.Close()
	}
	if r.child != nil {
		r.child.stop()
	}
}

// Erase deletes all keys of the instance in the datastore.
func (r *Remote) Erase(ctx context.Context) error {
	c := r.Client()
	defer func() { _ = c.Close() }()
	for {
		page, err := c.Kubernetes.List(ctx, r.root(), kubernetes.ListOptions{Limit: erasePage})
		if err != nil || len(page.Kvs) == 0 {
			return err
		}
		for _, kv := range page.Kvs {
			// kine has no other way to delete. A key that another client changes at
			// that moment is in the next page.
			options := kubernetes.DeleteOptions{GetOnFailure: true}
			if _, err := c.Kubernetes.OptimisticDelete(ctx, string(kv.Key), kv.ModRevision, options); err != nil {
				return err
			}
		}
	}
}
